"use strict";
(function () {
  const read = (id) => { const at = document.getElementById(id); return at ? JSON.parse(at.textContent) : null; };
  const events = read("data-events") || {};
  const entries = read("data-entries") || [];
  const chart = read("data-chart");
  const div = document.getElementById("chart");
  const rows = Array.from(document.querySelectorAll("tr.entry"));
  const evidence = document.getElementById("evidence");
  const body = document.getElementById("evidence-body");
  const close = document.getElementById("close");
  const home = evidence.parentNode;
  const narrow = window.matchMedia("(max-width: 900px)");
  let picked = null;

  function make(tag, name, text) {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function lines(pre, ids) {
    ids.forEach((id) => { if (events[id]) pre.append(make("span", "near", events[id].text)); });
  }

  function quote(id) {
    const event = events[id];
    const box = make("div", "cited");
    box.append(make("p", "path", event.path + (event.line ? ", line " + event.line.toLocaleString("en") : "")));
    const said = [event.time + " (" + event.basis + ")", event.written ? "written " + event.written : "", event.host ? "host " + event.host : "",
      event.parser, "byte " + event.offset.toLocaleString("en") + ", " + event.length.toLocaleString("en") + " bytes"];
    box.append(make("p", "meta", said.filter(Boolean).join(" · ")));
    const pre = make("pre");
    pre.tabIndex = 0;
    lines(pre, event.before);
    pre.append(make("span", "it", event.text));
    lines(pre, event.after);
    box.append(pre);
    if (!event.bytes) box.append(make("p", "more", "The evidence was not at hand: this is what the case's columns say."));
    const foot = make("p", "id");
    foot.append(make("code", "", id));
    const copy = make("button", "copy", "Copy id");
    copy.type = "button";
    copy.addEventListener("click", () => { if (navigator.clipboard) navigator.clipboard.writeText(id).then(() => { copy.textContent = "Copied"; }, () => {}); });
    foot.append(copy);
    box.append(foot);
    return box;
  }

  function fill(ids, all) {
    body.replaceChildren();
    ids.forEach((id) => body.append(quote(id)));
    if (!ids.length) body.append(make("p", "hint", all ? "The cited events are not in this page; pirtimeline show prints them." : "This entry cites no event: a person noted it."));
    else if (all > ids.length) body.append(make("p", "more", ids.length + " of " + all.toLocaleString("en") + " citations are shown, the first and the last; pirtimeline show prints any."));
  }

  function place(row) {
    const old = document.querySelector("tr.inline");
    if (narrow.matches && row) {
      const line = make("tr", "inline");
      const cell = make("td");
      cell.colSpan = 5;
      line.append(cell);
      row.after(line);
      cell.append(evidence);
    } else if (evidence.parentNode !== home) {
      home.append(evidence);
    }
    if (old && old !== document.querySelector("tr.inline:has(#evidence)")) old.remove();
    close.hidden = !(narrow.matches && row);
  }

  function pick(number, options) {
    const row = rows[number];
    if (picked) { picked.classList.remove("picked"); picked.querySelector(".open").setAttribute("aria-expanded", "false"); }
    picked = row;
    row.classList.add("picked");
    row.querySelector(".open").setAttribute("aria-expanded", "true");
    fill(entries[number].ids, entries[number].all);
    evidence.scrollTop = 0;
    place(row);
    mark(number);
    if (options && options.scroll) { row.hidden = false; row.scrollIntoView({ block: narrow.matches ? "start" : "center" }); }
  }

  function unpick() {
    if (!picked) return;
    picked.classList.remove("picked");
    const button = picked.querySelector(".open");
    button.setAttribute("aria-expanded", "false");
    picked = null;
    place(null);
    body.replaceChildren(make("p", "hint", "Choose an entry to read the bytes that it stands on."));
    mark(null);
    button.focus();
  }

  function show(id) {
    let number = entries.findIndex((entry) => entry.ids[0] === id);
    if (number < 0) number = entries.findIndex((entry) => entry.ids.includes(id));
    if (number >= 0) { pick(number, { scroll: true }); return; }
    if (!events[id]) return;
    if (picked) unpick();
    fill([id], 1);
    evidence.scrollIntoView({ block: "nearest" });
  }

  rows.forEach((row, number) => row.addEventListener("click", (event) => {
    if (window.getSelection && String(window.getSelection())) return;
    if (picked === row && event.target.closest(".open") && narrow.matches) unpick(); else pick(number);
  }));
  close.addEventListener("click", unpick);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") unpick(); });
  document.querySelectorAll(".moments button[data-event]").forEach((button) => button.addEventListener("click", () => show(button.dataset.event)));
  narrow.addEventListener("change", () => { place(picked); fit(); });

  const text = document.getElementById("f-text");
  const role = document.getElementById("f-role");
  const host = document.getElementById("f-host");
  function filter() {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row) => {
      const said = row.textContent.toLowerCase();
      const fits = words.every((word) => said.includes(word)) && (!role.value || row.dataset.role === role.value) && (!host.value || row.dataset.host === host.value);
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    document.querySelectorAll("tbody").forEach((day) => { day.hidden = !day.querySelector("tr.entry:not([hidden])"); });
    document.getElementById("none").hidden = shown > 0;
    document.getElementById("count").textContent = shown === rows.length ? rows.length + " entries" : shown + " of " + rows.length + " entries";
    if (picked && picked.hidden) unpick();
  }
  document.getElementById("filters").addEventListener("input", filter);
  document.getElementById("filters").addEventListener("reset", () => setTimeout(filter));
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());

  let trace = -1;
  function mark(number) {
    if (trace < 0) return;
    const at = number === null ? -1 : chart.data[trace].customdata.indexOf(number);
    Plotly.restyle(div, { selectedpoints: [at < 0 ? null : [at]] }, [trace]);
  }

  let busy = false;
  function fit() {
    if (!chart || busy) return;
    const layout = div._fullLayout;
    if (!layout) return;
    const axis = layout.xaxis;
    const levels = [];
    const change = {};
    (div.layout.annotations || []).forEach((note, index) => {
      if (note.name === "title") { change["annotations[" + index + "].font.size"] = narrow.matches ? 11 : 12; change["annotations[" + index + "].xshift"] = narrow.matches ? -76 : 0; return; }
      if (note.name !== "moment") return;
      const x = axis.d2p(note.x);
      const inside = x >= -1 && x <= axis._length + 1;
      let level = 0;
      if (inside) { while (levels[level] !== undefined && x - levels[level] < 22) level += 1; levels[level] = x; }
      change["annotations[" + index + "].yshift"] = 22 + 20 * level;
      change["annotations[" + index + "].visible"] = inside;
    });
    change["margin.t"] = 46 + 20 * Math.max(1, levels.length);
    change["margin.l"] = narrow.matches ? 92 : 104;
    change["xaxis.nticks"] = narrow.matches ? 4 : 10;
    busy = true;
    Plotly.relayout(div, change).then(() => { busy = false; });
  }

  if (chart && window.Plotly) {
    trace = chart.data.findIndex((one) => one.name === "entries");
    const settings = { responsive: true, displaylogo: false, displayModeBar: false, doubleClick: false, staticPlot: false };
    Plotly.newPlot(div, chart.data, chart.layout, settings).then(() => {
      fit();
      div.on("plotly_click", (clicked) => {
        const point = clicked.points.find((one) => one.data.name === "entries");
        if (point) pick(point.customdata, { scroll: true });
      });
      div.on("plotly_doubleclick", () => zoom("incident"));
      div.on("plotly_relayout", (changed) => { if (Object.keys(changed).some((key) => key.startsWith("xaxis.range") || key === "width" || key === "autosize")) fit(); });
      window.addEventListener("resize", () => setTimeout(fit, 200));
    });
    const zoom = (name) => {
      document.querySelectorAll(".buttons button").forEach((button) => button.setAttribute("aria-pressed", String(button.id === "zoom-" + name)));
      Plotly.relayout(div, { "xaxis.range": chart.ranges[name].slice() });
    };
    Object.keys(chart.ranges).forEach((name) => document.getElementById("zoom-" + name).addEventListener("click", () => zoom(name)));
    document.getElementById("zoom-lead").hidden = chart.ranges.lead[0] === chart.ranges.incident[0];
  }

  function follow() {
    const found = /^#ev-([0-9a-f]{12})-(\d+)$/.exec(location.hash);
    if (found) show(found[1] + ":" + found[2]);
  }
  window.addEventListener("hashchange", follow);
  follow();
  // Beside a wide table an empty pane would be wasted: it opens with the entry at which the impact starts, or the first.
  if (!picked && rows.length && !narrow.matches && body.querySelector(".hint")) pick(Math.max(0, rows.findIndex((row) => row.dataset.moments.includes("Impact start"))));
})();
