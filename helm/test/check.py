"""Checks the chart: values against their schema, lint, rendering by Helm itself, Kubernetes' schemas, and what
must hold of every pod. Prints what was checked and what could not be. Run by test.sh."""

import asyncio
import copy
import json
import pathlib
import re
import shutil
import sys
import tempfile

import jsonschema
import yaml

HERE = pathlib.Path(__file__).resolve().parent
CHART, ROOT = HERE.parent / "crossdock", HERE.parent.parent
# The oldest that the chart allows, and a new one.
KUBERNETES = ("1.25", "1.34")
# Kinds of add-ons: Kubernetes' own schemas do not know them.
ADD_ONS = {"ServiceMonitor", "ScaledObject"}
RELEASE, NAMESPACE = "gate", "depot"

# What the schema must refuse, and a word of why.
REFUSED = {
    "no Secret": {},
    "a misspelt key": {"existingSecret": "s", "replicas": 3},
    "a misspelt key inside": {"existingSecret": "s", "worker": {"replica": 3}},
    "nodes without PostgreSQL": {"existingSecret": "s", "mode": "nodes"},
    "an unknown mode": {"existingSecret": "s", "mode": "cluster"},
    "an unknown lane": {"existingSecret": "s", "worker": {"autoscaling": {"lanes": ["labels"]}}},
    "no workers": {"existingSecret": "s", "worker": {"replicas": 0}},
    "a tag in the digest": {"existingSecret": "s", "image": {"digest": "v1"}},
    "a wrong port": {"existingSecret": "s", "service": {"port": 70000}},
    "a grace too short to drain": {"existingSecret": "s", "worker": {"terminationGracePeriodSeconds": 5}},
}

faults = []


def fault(text):
    faults.append(text)
    print(f"  FAULT {text}")


def merged(base, over):
    """As Helm puts values over the chart's own."""
    out = copy.deepcopy(base)
    for key, value in over.items():
        out[key] = merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out


def check_schema(defaults, cases):
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    for name, values in cases.items():
        for error in validator.iter_errors(merged(defaults, values)):
            fault(f"{name}: {error.json_path}: {error.message}")
    for why, values in REFUSED.items():
        if validator.is_valid(merged(defaults, values)):
            fault(f"the schema lets through: {why}")
    untold = keys(defaults) - keys_of_schema(schema)
    if untold:
        fault(f"values that the schema does not know: {sorted(untold)}")
    told = (HERE.parent / "crossdock" / "README.md").read_text()
    for key in sorted(keys(defaults)):
        if f"`{key}" not in told and f"`{key.rsplit('.', 1)[0]}" not in told:
            fault(f"README.md does not tell of {key}")
    print(f"  values: {len(cases)} files fit the schema, {len(REFUSED)} faulty ones are refused")


def keys(values, at=""):
    out = set()
    for key, value in values.items():
        out.add(at + key)
        if isinstance(value, dict) and key not in ("requests", "limits"):
            out |= keys(value, f"{at}{key}.")
    return out


def keys_of_schema(schema, at=""):
    out = set()
    for key, value in schema.get("properties", {}).items():
        out |= {at + key} | keys_of_schema(value, f"{at}{key}.")
    return out


def settings_known():
    """Every CROSSDOCK_… that the gateway reads: the fields of Settings."""
    text = (ROOT / "src" / "settings.rs").read_text()
    fields = re.findall(r"^    pub (\w+):", text.split("pub struct Settings", 1)[1].split("\n}", 1)[0], re.M)
    return {f"CROSSDOCK_{field.upper()}" for field in fields}


def pod_spec(thing):
    return thing["spec"]["template"]["spec"] if thing["kind"] in ("Deployment", "StatefulSet", "Job") else None


def check_pod(where, thing, known):
    pod = pod_spec(thing)
    if pod.get("automountServiceAccountToken") is not False or pod.get("enableServiceLinks") is not False:
        fault(f"{where}: a service account's token or service links")
    security = pod["securityContext"]
    if not security.get("runAsNonRoot") or security["seccompProfile"]["type"] != "RuntimeDefault":
        fault(f"{where}: the pod's security context")
    volumes = {v["name"] for v in pod.get("volumes", [])}
    volumes |= {c["metadata"]["name"] for c in thing["spec"].get("volumeClaimTemplates", [])}
    for container in pod["containers"]:
        security = container["securityContext"]
        if (security.get("allowPrivilegeEscalation") is not False or not security.get("readOnlyRootFilesystem")
                or security["capabilities"].get("drop") != ["ALL"]):
            fault(f"{where}: the container's security context")
        if not container["resources"].get("requests") or not container["resources"].get("limits"):
            fault(f"{where}: no resources")
        names = [e["name"] for e in container["env"]]
        if len(names) != len(set(names)):
            fault(f"{where}: a variable twice")
        for entry in container["env"]:
            name = entry["name"]
            if name.startswith("CROSSDOCK_") and name not in known:
                fault(f"{where}: {name} is no setting of the gateway")
            if re.search("TOKEN|KEY|STORE_URL", name) and "value" in entry:
                fault(f"{where}: {name} stands in clear")
        for mount in container["volumeMounts"]:
            if mount["name"] not in volumes:
                fault(f"{where}: no volume {mount['name']}")
        if thing["kind"] != "Job":
            paths = {p: container[p]["httpGet"]["path"] for p in ("readinessProbe", "livenessProbe", "startupProbe")}
            if paths != {"readinessProbe": "/readyz", "livenessProbe": "/healthz", "startupProbe": "/readyz"}:
                fault(f"{where}: probes {paths}")


def selects(selector, thing):
    labels = thing["spec"]["template"]["metadata"]["labels"]
    return all(labels.get(k) == v for k, v in selector.items())


def check_together(name, values, things):
    """What holds between the things of one rendering."""
    pods = [t for t in things if pod_spec(t)]
    running = [t for t in pods if t["kind"] != "Job"]
    wanted = {"all"} if values["mode"] == "embedded" else {"api", "worker"}
    roles = {e["value"] for t in running for e in pod_spec(t)["containers"][0]["env"] if e["name"] == "CROSSDOCK_ROLE"}
    if roles != wanted:
        fault(f"{name}: roles {roles}")
    for thing in things:
        kind, spec = thing["kind"], thing.get("spec", {})
        where = f"{name}: {kind} {thing['metadata']['name']}"
        if kind == "Service":
            if len([t for t in running if selects(spec["selector"], t)]) != 1:
                fault(f"{where} must lead to one kind of pod")
        elif kind == "PodDisruptionBudget":
            if len([t for t in running if selects(spec["selector"]["matchLabels"], t)]) != 1:
                fault(f"{where} must guard one kind of pod")
        elif kind == "NetworkPolicy":
            if len([t for t in pods if selects(spec["podSelector"]["matchLabels"], t)]) != 1 \
                    and not (thing["metadata"]["name"].endswith("-migrate") and not values["migrate"]["enabled"]):
                fault(f"{where} must be of one kind of pod")
        elif kind in ("HorizontalPodAutoscaler", "ScaledObject"):
            target = [t for t in running if t["metadata"]["name"] == spec["scaleTargetRef"]["name"]]
            if len(target) != 1 or "replicas" in target[0]["spec"]:
                fault(f"{where} and the Deployment's own replicas fight")
    kinds = [t["kind"] for t in things]
    if values["mode"] == "nodes" and values["migrate"]["enabled"] and kinds.index("Job") > kinds.index("Deployment"):
        fault(f"{name}: the migration must come before the nodes")
    for kind, on in (("ServiceMonitor", values["serviceMonitor"]["enabled"]),
                     ("Ingress", values["ingress"]["enabled"]),
                     ("NetworkPolicy", values["networkPolicy"]["enabled"])):
        if (kind in kinds) != on:
            fault(f"{name}: {kind} {'is missing' if on else 'is there'}")


def rendered(helm, values, overall):
    """What a cluster would be sent for these values."""
    from cluster import Cluster
    cluster = Cluster()
    with tempfile.TemporaryDirectory() as folder:
        try:
            config = pathlib.Path(folder, "kubeconfig")
            config.write_text(cluster.kubeconfig())
            configuration = helm.Configuration(namespace=NAMESPACE, kubeconfig=str(config))
            # Lint takes no values: it gets a copy of the chart that has them as its own.
            linted = shutil.copytree(CHART, pathlib.Path(folder, "crossdock"))
            (linted / "values.yaml").write_text(yaml.safe_dump(overall))
            result = asyncio.run(helm.Lint(configuration).run(str(linted)))
            asyncio.run(helm.Install(configuration).run(RELEASE, str(CHART), values=values, wait=False, timeout=20))
            if result["Errors"]:
                fault("lint found faults, though the chart installs")
            return cluster.applied
        finally:
            cluster.close()


def check_rendered(defaults, cases):
    try:
        import helm_sdkpy
    except ImportError as error:
        return print(f"  helm could not be had here ({error}): nothing was rendered")
    try:
        from kubernetes_validate import validate
    except ImportError as error:
        validate = None
        print(f"  kubernetes-validate could not be had here ({error})")
    known = settings_known()
    count, unseen = 0, set()
    for name, values in cases.items():
        overall = merged(defaults, values)
        try:
            things = rendered(helm_sdkpy, values, overall)
        except helm_sdkpy.HelmError as error:
            fault(f"{name}: {error}")
            continue
        for thing in things:
            count += 1
            where = f"{name}: {thing['kind']} {thing['metadata']['name']}"
            if pod_spec(thing):
                check_pod(where, thing, known)
            if thing["kind"] in ADD_ONS:
                unseen.add(thing["kind"])
            elif validate:
                for version in KUBERNETES:
                    try:
                        validate(thing, version, strict=True)
                    except Exception as error:  # noqa: BLE001 - the library's errors have no common kind
                        fault(f"{where}: Kubernetes {version}: {str(error).splitlines()[0]}")
        check_together(name, overall, things)
    print(f"  {helm_sdkpy.get_version()}: lint and install of {len(cases)} value files into a pretended cluster, "
          f"{count} objects" + (f", valid for Kubernetes {' and '.join(KUBERNETES)}" if validate else ""))
    if unseen:
        print(f"  not checked against a schema (add-ons' own kinds): {', '.join(sorted(unseen))}")


def main():
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    cases = {path.name: yaml.safe_load(path.read_text()) for path in sorted((HERE / "values").glob("*.yaml"))}
    check_schema(defaults, cases)
    check_rendered(defaults, cases)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
