"""Checks the alert rules and the dashboard: every metric they name is one that the gateway has, every label one that
it sets, and promtool (when its path is given) can read each expression of the dashboard. Run by helm/test.sh."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
# Labels that the scraper adds, the ones of histograms, and Prometheus' own metric of firing alerts.
OUTSIDE = {"instance", "pod", "namespace", "job", "service", "le", "alertname", "alertstate"}
faults = []


def metrics():
    """Name -> kind, from the one list that the gateway has."""
    text = (ROOT / "src" / "telemetry" / "mod.rs").read_text()
    return dict(re.findall(r'\(\s*"(crossdock_\w+)",\s*Kind::(\w+),', text))


def labels():
    """Every label that some call in the source sets on a metric."""
    found = set()
    for path in (ROOT / "src").rglob("*.rs"):
        text = path.read_text()
        if "metrics::" in text:
            found |= set(re.findall(r'"(\w+)" =>', text)) | set(re.findall(r'"crossdock_\w+", "(\w+)"', text))
    return found


def check(where, expression, known, known_labels):
    for name in set(re.findall(r"crossdock_\w+", expression)):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        kind = known.get(name) or (known.get(base) if known.get(base) == "Histogram" else None)
        if kind is None:
            faults.append(f"{where}: the gateway has no metric {name}")
        elif kind == "Histogram" and name == base:
            faults.append(f"{where}: {name} is a histogram: _bucket, _sum or _count")
        elif kind == "Counter" and not re.search(rf"(rate|increase)\({name}\b", expression):
            faults.append(f"{where}: {name} is a counter: rate or increase")
    used = {label for part in re.findall(r"\{([^}]*)\}", expression) for label in re.findall(r"(\w+)\s*[=!]", part)}
    used |= {label.strip() for part in re.findall(r"\bby \(([^)]*)\)", expression) for label in part.split(",")}
    for label in used - known_labels - OUTSIDE:
        faults.append(f"{where}: no metric has a label {label}")


def panels(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def main():
    promtool = sys.argv[1] if len(sys.argv) > 1 else ""
    known, known_labels = metrics(), labels()
    rules = yaml.safe_load((HERE / "prometheus" / "alerts.yaml").read_text())
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    for alert in alerts:
        check(alert["alert"], alert["expr"], known, known_labels)
        if not alert["annotations"].get("runbook") or alert["labels"].get("severity") not in ("warning", "critical"):
            faults.append(f"{alert['alert']}: needs a runbook and a severity")
    dashboard = json.loads((HERE / "grafana" / "crossdock.json").read_text())
    all_panels = list(panels(dashboard))
    ids = [panel["id"] for panel in all_panels]
    if len(ids) != len(set(ids)):
        faults.append("dashboard: a panel's id twice")
    expressions = [(f"panel {p['title']}", t["expr"]) for p in all_panels for t in p.get("targets", [])]
    shown = " ".join(e for _, e in expressions)
    for where, expression in expressions:
        check(where, expression, known, known_labels)
    for name in known:
        if name not in shown:
            faults.append(f"dashboard: {name} is shown nowhere")
    if promtool:
        # A dashboard's variables stand for a matcher and a span.
        plain = [e.replace("$__rate_interval", "5m").replace("$node", ".*") for _, e in expressions]
        made = {"groups": [{"name": "d", "rules": [{"record": f"d:{n}", "expr": e} for n, e in enumerate(plain)]}]}
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(made, file)
            file.flush()
            result = subprocess.run([promtool, "check", "rules", file.name], capture_output=True, text=True)
            if result.returncode:
                faults.append(f"dashboard: {result.stdout}{result.stderr}")
    for fault in faults:
        print(f"  FAULT {fault}")
    print(f"  {len(alerts)} alerts and {len(expressions)} expressions of the dashboard name only metrics and labels "
          f"that the gateway has; all {len(known)} metrics are shown")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
