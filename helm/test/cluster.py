"""A pretended Kubernetes API on the loopback interface, as much of it as `helm install` asks for.

helm-sdkpy has no `template`; it installs. So the chart is installed into this, which keeps what it is sent, says
that every job is complete, and is gone afterwards. What is kept is what Helm rendered, in the order in which a
cluster would get it, hooks included.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

# group/version -> {plural: (kind, namespaced)}
KINDS = {
    "v1": {"services": "Service", "secrets": "Secret", "configmaps": "ConfigMap", "namespaces": "Namespace",
           "pods": "Pod", "serviceaccounts": "ServiceAccount", "persistentvolumeclaims": "PersistentVolumeClaim"},
    "apps/v1": {"deployments": "Deployment", "statefulsets": "StatefulSet", "replicasets": "ReplicaSet"},
    "batch/v1": {"jobs": "Job", "cronjobs": "CronJob"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy", "ingresses": "Ingress"},
    "monitoring.coreos.com/v1": {"servicemonitors": "ServiceMonitor"},
    "keda.sh/v1alpha1": {"scaledobjects": "ScaledObject"},
}
DONE = {"Job": {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}}


class Cluster:
    """Runs until `close`; `applied` is what it was sent, Helm's own notes left out."""

    def __init__(self, version="v1.34.0"):
        self.version, self.applied, self.objects, self.lock = version, [], {}, threading.Lock()
        self.closing = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def kubeconfig(self):
        url = f"http://127.0.0.1:{self.server.server_port}"
        return json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": url}}], "users": [{"name": "c", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}]})

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


def discovery(path):
    """The answers that tell which kinds there are."""
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = []
        for group_version in KINDS:
            group, _, version = group_version.rpartition("/")
            if group:
                entry = {"groupVersion": group_version, "version": version}
                groups.append({"name": group, "versions": [entry], "preferredVersion": entry})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    group_version = path.removeprefix("/apis/") if path.startswith("/apis/") else path.removeprefix("/api/")
    if group_version in KINDS:
        verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": [
            {"name": plural, "singularName": kind.lower(), "namespaced": kind != "Namespace", "kind": kind,
             "verbs": verbs} for plural, kind in KINDS[group_version].items()]}
    return openapi(path)


def openapi(path):
    """As much of OpenAPI as tells Helm that the server checks fields itself."""
    roots = {gv: f"api/{gv}" if "/" not in gv else f"apis/{gv}" for gv in KINDS}
    if path == "/openapi/v3":
        return {"paths": {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in roots.values()}}
    for group_version, root in roots.items():
        if path == f"/openapi/v3/{root}":
            group, _, version = group_version.rpartition("/")
            return {"openapi": "3.0.0", "info": {"title": "pretended", "version": "1"}, "paths": {
                f"/{root}/namespaces/{{namespace}}/{plural}/{{name}}": {"patch": {
                    "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
                    "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
                    "responses": {"200": {"description": "OK"}}}}
                for plural, kind in KINDS[group_version].items()}}
    return None


def handler(cluster):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def say(self, status, body):
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def not_found(self):
            self.say(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound",
                           "message": "not found", "code": 404})

        def body(self):
            text = self.rfile.read(int(self.headers.get("content-length") or 0))
            return json.loads(text) if text else {}

        def store(self, path, made, status):
            made.setdefault("metadata", {}).update(uid="1", resourceVersion="1", generation=1)
            if made.get("kind") in DONE:
                made["status"] = DONE[made["kind"]]
            with cluster.lock:
                cluster.objects[path] = made
            self.say(status, made)

        def do_GET(self):
            url = urlsplit(self.path)
            path, query = url.path.rstrip("/"), parse_qs(url.query)
            found = discovery(path)
            if path == "/version":
                found = {"major": "1", "minor": cluster.version.split(".")[1], "gitVersion": cluster.version}
            if found is None:
                found = cluster.objects.get(path)
            if found is not None:
                return self.say(200, found)
            plural = path.rsplit("/", 1)[-1]
            of = [(gv, kinds[plural]) for gv, kinds in KINDS.items() if plural in kinds]
            if not of:
                return self.not_found()
            gv, kind = of[0]
            if "watch" in query:
                return self.watch(path, plural, gv, kind)
            return self.say(200, {"kind": f"{kind}List", "apiVersion": gv, "metadata": {"resourceVersion": "1"},
                                  "items": list(self.under(path, plural).values())})

        def under(self, path, plural):
            with cluster.lock:
                return {p: o for p, o in cluster.objects.items() if p.rsplit("/", 1)[0] == path
                        or (f"/{plural}/" in p and "/namespaces/" not in path)}

        def watch(self, path, plural, gv, kind):
            """What there is, the mark that this was all, and then what goes, until the client does."""
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self.close_connection = True
            known = self.under(path, plural)
            try:
                for there in known.values():
                    self.event("ADDED", there)
                self.event("BOOKMARK", {"kind": kind, "apiVersion": gv, "metadata": {
                    "resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}}})
                while not cluster.closing.wait(0.05):
                    now = self.under(path, plural)
                    for gone in known.keys() - now.keys():
                        self.event("DELETED", known[gone])
                    for new in now.keys() - known.keys():
                        self.event("ADDED", now[new])
                    known = now
            except OSError:
                pass

        def event(self, name, what):
            text = json.dumps({"type": name, "object": what}).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            self.wfile.flush()

        def do_POST(self):
            path, made = urlsplit(self.path).path, self.body()
            if made.get("type") != "helm.sh/release.v1":
                with cluster.lock:
                    cluster.applied.append(json.loads(json.dumps(made)))
            self.store(f"{path}/{made['metadata']['name']}", made, 201)

        def do_PUT(self):
            self.store(urlsplit(self.path).path, self.body(), 200)

        def do_PATCH(self):
            path, made = urlsplit(self.path).path, self.body()
            if path not in cluster.objects and "kind" in made:  # server-side apply
                with cluster.lock:
                    cluster.applied.append(json.loads(json.dumps(made)))
            self.store(path, cluster.objects.get(path) or made, 200)

        def do_DELETE(self):
            path = urlsplit(self.path).path
            self.body()
            with cluster.lock:
                gone = cluster.objects.pop(path, None)
            if gone is None:
                return self.not_found()
            return self.say(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

    return Handler
