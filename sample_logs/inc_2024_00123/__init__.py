"""The invented incident INC-2024-00123, told by the logs of seven hosts in three zones."""
