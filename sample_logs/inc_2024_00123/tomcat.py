"""app1 and app2: Apache Tomcat 9.0.46 on Java 1.8.0_291, in New York's time."""

from __future__ import annotations

from collections.abc import Iterator

from inc_2024_00123 import story
from inc_2024_00123.story import MINUTE, NEW_YORK, SECOND, Dice, clf, juli, log4j
from inc_2024_00123.traffic import Request

Lines = list[tuple[int, str]]

_BANNER = (
    "Server version name:   Apache Tomcat/9.0.46",
    "Server built:          May 8 2021 17:35:52 UTC",
    "Server version number: 9.0.46.0",
    "OS Name:               Linux",
    "OS Version:            3.10.0-1160.el7.x86_64",
    "Architecture:          amd64",
    "Java Home:             /opt/jdk1.8.0_291/jre",
    "JVM Version:           1.8.0_291-b10",
    "JVM Vendor:            Oracle Corporation",
    "CATALINA_BASE:         /opt/tomcat",
    "CATALINA_HOME:         /opt/tomcat",
    "Command line argument: -Djava.util.logging.config.file=/opt/tomcat/conf/logging.properties",
    "Command line argument: -Djava.util.logging.manager=org.apache.juli.ClassLoaderLogManager",
    "Command line argument: -Xms2g",
    "Command line argument: -Xmx2g",
    "Command line argument: -XX:+UseParallelGC",
    "Command line argument: -XX:+PrintGCDetails",
    "Command line argument: -XX:+PrintGCDateStamps",
    "Command line argument: -Xloggc:/opt/tomcat/logs/gc-%t.log",
    "Command line argument: -D{app}.db.url=jdbc:postgresql://db1.example.org:5432/shop",
    "Command line argument: -D{app}.db.password=Wren-Larch-4471",
    "Command line argument: -Dcatalina.base=/opt/tomcat",
    "Command line argument: -Dcatalina.home=/opt/tomcat",
    "Command line argument: -Djava.io.tmpdir=/opt/tomcat/temp",
)
_LISTENER = "org.apache.catalina.startup.VersionLoggerListener.log"
_HOST = "org.apache.catalina.startup.HostConfig"
_TRACE = (
    "\t\tat java.util.Arrays.copyOf(Arrays.java:3236)",
    "\t\tat java.io.ByteArrayOutputStream.grow(ByteArrayOutputStream.java:118)",
    "\t\tat java.io.ByteArrayOutputStream.ensureCapacity(ByteArrayOutputStream.java:93)",
    "\t\tat java.io.ByteArrayOutputStream.write(ByteArrayOutputStream.java:153)",
    "\t\tat org.example.checkout.cart.CartHistory.remember(CartHistory.java:58)",
    "\t\tat org.example.checkout.cart.CartService.place(CartService.java:131)",
    "\t\tat org.example.checkout.web.CheckoutServlet.doPost(CheckoutServlet.java:77)",
    "\t\tat javax.servlet.http.HttpServlet.service(HttpServlet.java:652)",
    "\t\tat javax.servlet.http.HttpServlet.service(HttpServlet.java:733)",
    "\t\tat org.apache.catalina.core.ApplicationFilterChain.internalDoFilter(ApplicationFilterChain.java:227)",
    "\t\tat org.apache.catalina.core.ApplicationFilterChain.doFilter(ApplicationFilterChain.java:162)",
    "\t\tat org.apache.catalina.core.StandardWrapperValve.invoke(StandardWrapperValve.java:202)",
    "\t\tat org.apache.catalina.core.StandardContextValve.invoke(StandardContextValve.java:97)",
    "\t\tat org.apache.catalina.authenticator.AuthenticatorBase.invoke(AuthenticatorBase.java:542)",
    "\t\tat org.apache.catalina.core.StandardHostValve.invoke(StandardHostValve.java:143)",
    "\t\tat org.apache.catalina.connector.CoyoteAdapter.service(CoyoteAdapter.java:357)",
    "\t\tat org.apache.coyote.http11.Http11Processor.service(Http11Processor.java:374)",
    "\t\tat org.apache.tomcat.util.net.NioEndpoint$SocketProcessor.doRun(NioEndpoint.java:1707)",
    "\t\tat org.apache.tomcat.util.net.SocketProcessorBase.run(SocketProcessorBase.java:49)",
    "\t\tat java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1149)",
    "\t\tat java.util.concurrent.ThreadPoolExecutor$Worker.run(ThreadPoolExecutor.java:624)",
    "\t\tat org.apache.tomcat.util.threads.TaskThread$WrappingRunnable.run(TaskThread.java:61)",
    "\t\tat java.lang.Thread.run(Thread.java:748)",
)


def line(millis: int, level: str, thread: str, source: str, text: str) -> tuple[int, str]:
    """Write a line as `OneLineFormatter` does."""
    return millis, f"{juli(millis)} {level} [{thread}] {source} {text}\n"


def start(app: str, begin: int, ready: int, wars: tuple[str, ...]) -> Lines:
    """Write what a Tomcat says while it starts."""
    made = [line(begin + n, "INFO", "main", _LISTENER, text.format(app=app)) for n, text in enumerate(_BANNER)]
    took = (ready - begin) - 400
    info = [
        ("org.apache.coyote.AbstractProtocol.init", 'Initializing ProtocolHandler ["http-nio-8080"]'),
        ("org.apache.catalina.startup.Catalina.load", "Server initialization in [702] milliseconds"),
        ("org.apache.catalina.core.StandardService.startInternal", "Starting service [Catalina]"),
        ("org.apache.catalina.core.StandardEngine.startInternal", "Starting Servlet engine: [Apache Tomcat/9.0.46]"),
    ]
    made += [line(begin + 380 + 20 * n, "INFO", "main", source, text) for n, (source, text) in enumerate(info)]
    for n, war in enumerate(wars):
        made += deploy(war, begin + 500 + n * took // 2, begin + (n + 1) * took // 2, thread="main")
    made.append(
        line(
            ready - 30,
            "INFO",
            "main",
            "org.apache.coyote.AbstractProtocol.start",
            'Starting ProtocolHandler ["http-nio-8080"]',
        )
    )
    return [
        *made,
        line(
            ready,
            "INFO",
            "main",
            "org.apache.catalina.startup.Catalina.start",
            f"Server startup in [{took}] milliseconds",
        ),
    ]


def deploy(war: str, begin: int, end: int, *, thread: str) -> Lines:
    """Write the deployment of a web application: Tomcat's own lines and its connection pool's."""
    path = f"/opt/tomcat/webapps/{war}.war"
    pool = f"{war.split('#', maxsplit=1)[0].capitalize()}Pool"
    took = f"{end - begin:,}"
    return [
        line(begin, "INFO", thread, f"{_HOST}.deployWAR", f"Deploying web application archive [{path}]"),
        line(end - 180, "INFO", thread, "com.zaxxer.hikari.HikariDataSource.<init>", f"{pool} - Starting..."),
        line(end - 60, "INFO", thread, "com.zaxxer.hikari.HikariDataSource.<init>", f"{pool} - Start completed."),
        line(
            end,
            "INFO",
            thread,
            f"{_HOST}.deployWAR",
            f"Deployment of web application archive [{path}] has finished in [{took}] ms",
        ),
    ]


def stop(begin: int, end: int) -> Lines:
    """Write what a Tomcat says while it stops."""
    names = ("pause Pausing", "stop Stopping", "destroy Destroying")
    made = [
        line(begin + 1900 * n, "INFO", "Thread-6", f"org.apache.coyote.AbstractProtocol.{word.split()[0]}",
             f'{word.split()[1]} ProtocolHandler ["http-nio-8080"]')
        for n, word in enumerate(names)
    ]  # fmt: skip
    service = "org.apache.catalina.core.StandardService.stopInternal"
    return sorted([*made, line(min(begin + 900, end), "INFO", "Thread-6", service, "Stopping service [Catalina]")])


def checkout_console(requests: list[Request]) -> Lines:
    """Write the lines of app1's Tomcat: starts, deployments, and each request that found no memory."""
    wars = (f"checkout##{story.OLD}", f"checkout##{story.NEW}")
    made = start("checkout", story.BEGIN, story.BEGIN + 8412, wars[:1])
    made += deploy(wars[1], story.DEPLOY + 12_118, story.DEPLOY + 21_530, thread="Catalina-utility-1")
    for n, request in enumerate(r for r in requests if r.failure in {"memory", "null"}):
        made.append(_thrown(request, n))
    made += stop(story.RESTART + 402, story.STOPPED - 200)
    made += start("checkout", story.STOPPED + 1804, story.RESTARTED + 96, wars)
    undeploy = f"Undeploying context [/checkout##{story.NEW}]"
    made.append(line(story.ROLLBACK + 9310, "INFO", "Catalina-utility-2", f"{_HOST}.undeploy", undeploy))
    return sorted(made)


def _thrown(request: Request, number: int) -> tuple[int, str]:
    """Write an error that left the servlet, with its stack trace, a little before the proxy had the answer."""
    memory = request.failure == "memory"
    head = "threw exception [Servlet execution threw an exception] with root cause" if memory else "threw exception"
    what = "java.lang.OutOfMemoryError: " + ("GC overhead limit exceeded" if number % 3 == 2 else "Java heap space")
    text = f"Servlet.service() for servlet [checkout] in context with path [/checkout] {head}"
    trace = (f"\t{what}", *_TRACE) if memory else ("\tjava.lang.NullPointerException", *_TRACE[4:])
    millis, first = line(
        request.at - 30, "SEVERE", thread(request), "org.apache.catalina.core.StandardWrapperValve.invoke", text
    )
    return millis, first + "".join(f"{row}\n" for row in trace)


def thread(request: Request) -> str:
    """Name the thread that served a request."""
    return f"http-nio-8080-exec-{int(request.rid[:4], 16) % 25 + 1}"


def with_stderr(console: Lines) -> Lines:
    """Add to the console what the JVM wrote there itself, without a time, where threads died of the heap."""
    names = ("http-nio-8080-ClientPoller", "http-nio-8080-exec-14", "OrderMailer-3")
    said = 'Exception: java.lang.OutOfMemoryError thrown from the UncaughtExceptionHandler in thread "{}"\n'
    made = [(story.OOM + (7 + 4 * n) * MINUTE, "\n" + said.format(name)) for n, name in enumerate(names)]
    return sorted([*console, *made])


def catalog_console() -> Lines:
    """Write the lines of app2's Tomcat, where nothing is wrong."""
    begin = story.BEGIN + 16 * SECOND
    made = start("catalog", begin, begin + 6120, ("catalog##2.8.0",))
    return made + deploy(
        "catalog##2.8.1", story.OTHER_DEPLOY + 8204, story.OTHER_DEPLOY + 15_377, thread="Catalina-utility-1"
    )


def access(requests: list[Request], service: str) -> Lines:
    """Write Tomcat's access log: common, milliseconds, request id. The proxy is the client that it sees."""
    return [(r.at - 1, _access(r)) for r in requests if r.service == service and r.app_status]


def _access(r: Request) -> str:
    asked = f'"{r.method} {r.path} HTTP/1.0"'
    return f'192.0.2.21 - - [{clf(r.at - 1, NEW_YORK)}] {asked} {r.app_status} {r.size} {r.millis} "{r.rid}"\n'


def application(requests: list[Request]) -> Lines:
    """Write checkout's own log."""
    dice, made = Dice("application"), list[tuple[int, str]]()
    for begin, version in ((story.BEGIN + 7900, story.OLD), (story.DEPLOY + 21_200, story.NEW),
                           (story.RESTARTED - 6000, story.OLD), (story.RESTARTED - 900, story.NEW)):  # fmt: skip
        made.append(_app(begin, "INFO", "main", "", "CheckoutServlet", f"checkout {version} starting"))
    for request in requests:
        if request.service == "checkout" and (request.app_status or request.failure == "timeout"):
            made += _told(dice, request)
    made.append(
        _app(
            story.ROLLBACK + 9300, "INFO", "Catalina-utility-2", "", "CheckoutServlet", f"checkout {story.NEW} stopped"
        )
    )
    return sorted([*made, *_starved(dice)])


def _app(millis: int, level: str, thread_name: str, rid: str, logger: str, text: str) -> tuple[int, str]:
    return millis, f"{log4j(millis)} {level:5} [{thread_name}] [{rid}] {logger} - {text}\n"


def _told(dice: Dice, request: Request) -> Iterator[tuple[int, str]]:
    """Say what the application said of a request."""
    name, began = thread(request), request.at - request.millis
    if request.failure == "timeout":
        if dice.chance(35):
            yield _app(
                began + 40_000,
                "WARN",
                name,
                request.rid,
                "CartService",
                f"order {request.order} still waiting after 40000 ms",
            )
    elif request.failure == "memory":
        text = f"order {request.order} failed: java.lang.OutOfMemoryError"
        yield _app(request.at - 20, "ERROR", name, request.rid, "CheckoutServlet", text)
    elif request.path.endswith("/pay"):
        text = f"order {request.order} paid, amount {dice.between(9, 480)}.{dice.below(100):02} EUR"
        yield _app(request.at - min(4, request.millis), "INFO", name, request.rid, "CartService", text)


def _starved(dice: Dice) -> Iterator[tuple[int, str]]:
    """Let the pool's housekeeper notice that the process stood still, as it does between long collections."""
    now = story.SLOW + 9 * MINUTE
    while now < story.RESTART - MINUTE:
        gap = f"{dice.between(46, 58)}s{dice.below(1000)}ms"
        text = f"CheckoutPool - Thread starvation or clock leap detected (housekeeper delta={gap})."
        yield _app(now, "WARN", "CheckoutPool housekeeper", "", "HikariPool", text)
        now += dice.between(110, 240) * SECOND
