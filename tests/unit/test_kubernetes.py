"""The files for Kubernetes: what Kustomize makes of them is what Kubernetes takes, and all the names in them exist.

Kubernetes' own schemas come with `kubernetes-validate`. KEDA's and the Prometheus operator's kinds are in no such package:
their fields are checked against what is written here, which is what those projects document.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from agents.commands.worker import ROLES
from agents.notify.file import of_file
from streams.settings import Settings, load
from streams.topics import TOPICS
from tests.bench import sizing
from tests.conftest import missing

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"
KUSTOMIZE = "5.4.3"
VERSIONS = ("1.31", "1.34")
"""Of Kubernetes: an old one that is still run, and a newer one."""
FOREIGN = {"ScaledObject", "TriggerAuthentication", "PodMonitor"}
SECRETS = {"tocsin", "tocsin-init", *(f"tocsin-{role}" for role in ROLES)}
Document = dict[str, Any]


def kustomize() -> str:
    """The program that tests/tools.sh builds, or one that is installed."""
    cache = Path(os.environ.get("TOCSIN_CACHE") or Path.home() / ".cache/tocsin")
    built = cache / "bin" / f"kustomize-{KUSTOMIZE}"
    found = str(built) if built.exists() else shutil.which("kustomize")
    if found is None:
        missing("Kustomize is not here: `make tools` builds it where Go is")
    assert found is not None
    return found


def rendered(folder: Path) -> list[Document]:
    done = subprocess.run([kustomize(), "build", str(folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip(), done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    """The example, with every component there is."""
    copy = tmp_path_factory.mktemp("kubernetes") / "all"
    shutil.copytree(KUBERNETES, copy)
    path = copy / "overlays/example/kustomization.yaml"
    overlay = yaml.safe_load(path.read_text("utf-8"))
    overlay["components"] = [f"../../components/{one.name}" for one in sorted((copy / "components").iterdir())]
    path.write_text(yaml.safe_dump(overlay), "utf-8")
    return rendered(path.parent)


@pytest.fixture(scope="module")
def example() -> list[Document]:
    return rendered(KUBERNETES / "overlays/example")


def of(documents: list[Document], *kinds: str) -> dict[str, Document]:
    return {one["metadata"]["name"]: one for one in documents if one["kind"] in kinds}


def workloads(documents: list[Document]) -> dict[str, Document]:
    return of(documents, "Deployment", "StatefulSet", "Job")


def containers(documents: list[Document]) -> Iterator[tuple[str, Document, Document]]:
    """(name, pod, container) of everything that runs."""
    for name, one in workloads(documents).items():
        pod = one["spec"]["template"]["spec"]
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            yield name, pod, container


def common_settings(documents: list[Document]) -> Document:
    """What every worker is told."""
    (found,) = (one for name, one in of(documents, "ConfigMap").items() if name.startswith("tocsin-settings-"))
    return found


def chosen(selector: Document, documents: list[Document]) -> set[str]:
    """The workloads whose pods a selector means."""
    wanted = selector.get("matchLabels", {}).items()
    return {
        name
        for name, one in workloads(documents).items()
        if wanted <= one["spec"]["template"]["metadata"]["labels"].items()
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_document(everything: list[Document], version: str) -> None:
    known = [one for one in everything if one["kind"] not in FOREIGN]
    assert len(known) > 15
    for one in known:
        kubernetes_validate.validate(one, version, strict=True)
    broken = {**known[0], "metdata": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, version, strict=True)


def test_every_role_has_its_workload(everything: list[Document], example: list[Document]) -> None:
    assert set(workloads(everything)) == {"tocsin-init", *(f"tocsin-{role}" for role in ROLES)}
    left_out = set(workloads(everything)) - set(workloads(example))
    assert left_out == {"tocsin-shadow", "tocsin-door", "tocsin-notify"}, "only where somebody wants them"
    for role in ROLES:
        (container,) = workloads(everything)[f"tocsin-{role}"]["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["worker", role]


def test_every_variable_is_a_setting_that_its_value_fits(everything: list[Document]) -> None:
    settings = {f"TOCSIN_{name.upper()}" for name in Settings.model_fields}
    common = common_settings(everything)
    for name, _, container in containers(everything):
        own = {one["name"]: one.get("value", "x") for one in container.get("env", [])}
        variables = {**common["data"], **own}
        ours = {key: value for key, value in variables.items() if key.startswith("TOCSIN_")}
        assert set(ours) <= settings, name
        load(_env_file=None, **{key.removeprefix("TOCSIN_").lower(): value for key, value in ours.items()})
        assert set(variables) - set(ours) <= {"LOGNAME"}, name
        given = [one["secretRef"]["name"] for one in container["envFrom"] if "secretRef" in one]
        assert set(given) <= SECRETS
        assert given == ["tocsin", name]
    assert not of(everything, "Secret"), "what is secret is not in here"


def test_ports_and_probes_are_those_that_a_worker_serves(everything: list[Document]) -> None:
    served = set(re.findall(r'"(/\w+z)": \w+', (ROOT / "streams/http.py").read_text("utf-8")))
    assert served == {"/healthz", "/readyz"}
    common = common_settings(everything)
    for name, _, container in containers(everything):
        if name == "tocsin-init":
            continue
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports["http"] == int(common["data"]["TOCSIN_HTTP_PORT"])
        asked = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
        assert {one["port"] for one in asked.values()} == {"http"}
        assert {one["path"] for one in asked.values()} <= served
        assert asked["readinessProbe"]["path"] == "/readyz"
        assert asked["livenessProbe"]["path"] == "/healthz", "a worker without partitions is not to be killed for it"


def test_nobody_is_root_nothing_is_written_and_nothing_may_be_gained(everything: list[Document]) -> None:
    uid = re.search(r"^USER (\d+):(\d+)$", (ROOT / "deploy/container/Containerfile").read_text("utf-8"), re.MULTILINE)
    assert uid is not None
    for name, pod, container in containers(everything):
        whole, own = pod["securityContext"], container["securityContext"]
        assert whole["runAsNonRoot"] is True, name
        assert (whole["runAsUser"], whole["runAsGroup"]) == (int(uid[1]), int(uid[2]))
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
        assert own == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] in of(everything, "ServiceAccount")
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        kinds = {volume["name"]: set(volume) - {"name"} for volume in pod["volumes"]}
        assert all(
            len(kind) == 1 and kind <= {"emptyDir", "persistentVolumeClaim", "configMap"} for kind in kinds.values()
        )
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert "/tmp" in mounts
        env = {one["name"]: one.get("value") for one in container.get("env", [])}
        assert env.get("TOCSIN_DATA", "/tmp") in mounts, "where follow keeps its state can be written"
        assert all("sizeLimit" in volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume)


def test_only_the_roles_that_need_a_disk_have_one(everything: list[Document]) -> None:
    def mounts(name: str) -> set[str]:
        return {
            mount["mountPath"]
            for one, _, box in containers(everything)
            if one == name
            for mount in box["volumeMounts"]
            if not mount.get("readOnly")
        }

    assert {name for name in workloads(everything) if mounts(name) != {"/tmp"}} == {"tocsin-follow"}


def test_images_are_this_version_and_resources_are_set(everything: list[Document]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    for name, _, container in containers(everything):
        assert container["image"] == f"registry.example/tocsin:{version}", name
        resources = container["resources"]
        assert set(resources["requests"]) == {"cpu", "memory"}
        # No limit of CPU: a worker that is held back misses its heartbeats, and its group waits for it.
        assert set(resources["limits"]) == {"memory"}
        least, most = (_mib(resources[kind]["memory"]) for kind in ("requests", "limits"))
        assert 128 <= least < most <= 4096, name
        assert re.fullmatch(r"\d+m?", resources["requests"]["cpu"]), name


def _mib(quantity: str) -> int:
    """Kubernetes' schemas take any text for a quantity."""
    found = re.fullmatch(r"(\d+)(Mi|Gi)", quantity)
    assert found is not None, quantity
    return int(found[1]) * {"Mi": 1, "Gi": 1024}[found[2]]


def test_sizing_reckons_with_what_is_asked_for(example: list[Document]) -> None:
    known = sizing.measured()
    for role in ("triage", "learn", "follow", "crowd", "record", "console"):
        (box,) = workloads(example)[f"tocsin-{role}"]["spec"]["template"]["spec"]["containers"]
        assert _mib(box["resources"]["requests"]["memory"]) == getattr(known, f"{role}_mib"), role


def test_notify_reads_the_destinations_that_are_mounted(
    everything: list[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = workloads(everything)["tocsin-notify"]["spec"]["template"]["spec"]
    (mounted,) = (volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume)
    held = of(everything, "ConfigMap")[mounted]["data"]
    (box,) = pod["containers"]
    (told,) = (one["value"] for one in box["env"] if one["name"] == "TOCSIN_NOTIFY")
    folder = next(mount["mountPath"] for mount in box["volumeMounts"] if mount["name"] == "destinations")
    file = tmp_path / "destinations.yaml"
    file.write_text(held[str(Path(told).relative_to(folder))], "utf-8")
    monkeypatch.setenv("WEBHOOK_SECRET", "whsec_" + "A" * 32)
    assert [one.name for one in of_file(file, "")] == ["support-tool"]


def test_every_budget_and_service_and_policy_means_pods_that_exist(everything: list[Document]) -> None:
    budgets = of(everything, "PodDisruptionBudget")
    assert set(budgets) == {f"tocsin-{role}" for role in ROLES}
    for name, one in budgets.items():
        assert chosen(one["spec"]["selector"], everything) == {name}
        assert one["spec"]["maxUnavailable"] == 1, "one that lets nobody go holds up the node's drain for ever"
    for one in of(everything, "Service").values():
        means = chosen({"matchLabels": one["spec"]["selector"]}, everything)
        assert means
        for port in one["spec"]["ports"]:
            served = [
                {each["name"] for each in box.get("ports", [])}
                for name, _, box in containers(everything)
                if name in means
            ]
            assert all(port["targetPort"] in names for names in served if names)
    for one in of(everything, "NetworkPolicy").values():
        assert chosen(one["spec"]["podSelector"], everything)


def test_a_rollout_takes_nobody_away_before_another_works_and_waits_longer_than_a_worker_takes(
    everything: list[Document],
) -> None:
    for name, one in of(everything, "Deployment").items():
        assert one["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}, name
        assert one["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 10 + 2, "gone within 10 s"
        assert chosen(one["spec"]["selector"], everything) == {name}
    for one in of(everything, "Deployment", "StatefulSet").values():
        assert one["spec"]["template"]["spec"].get("restartPolicy", "Always") == "Always", "status 70: start me again"


def test_names_are_given_where_they_outlive_a_pod(everything: list[Document], example: list[Document]) -> None:
    def named(documents: list[Document]) -> set[tuple[str, str]]:
        return {
            (workloads(documents)[name]["kind"], name)
            for name, _, box in containers(documents)
            if any(one["name"] == "TOCSIN_INSTANCE" for one in box.get("env", []))
        }

    assert named(example) == set()
    assert named(everything) == {("StatefulSet", "tocsin-follow")}
    one = of(everything, "StatefulSet")["tocsin-follow"]["spec"]
    assert one["serviceName"] in of(everything, "Service")
    assert "strategy" not in one


# --- KEDA and the Prometheus operator


def test_keda_scales_triage_between_two_and_its_partitions(everything: list[Document]) -> None:
    (scaled,) = of(everything, "ScaledObject").values()
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    spec = scaled["spec"]
    assert set(spec) <= {
        "scaleTargetRef", "pollingInterval", "cooldownPeriod", "minReplicaCount", "maxReplicaCount", "advanced", "triggers",
    }  # fmt: skip
    target = workloads(everything)[spec["scaleTargetRef"]["name"]]
    assert target["metadata"]["name"] == "tocsin-triage"
    assert target["kind"] == spec["scaleTargetRef"].get("kind", "Deployment")
    assert "replicas" not in target["spec"], "whoever applies the file would undo what KEDA did"
    common = common_settings(everything)
    settings = load(_env_file=None, partitions=int(common["data"]["TOCSIN_PARTITIONS"]))
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, settings.partitions)
    kafka, cpu = spec["triggers"]
    assert kafka["type"] == "kafka"
    found = kafka["metadata"]
    assert set(found) <= {
        "bootstrapServers", "bootstrapServersFromEnv", "consumerGroup", "topic", "lagThreshold", "activationLagThreshold",
        "offsetResetPolicy", "allowIdleConsumers", "excludePersistentLag", "limitToPartitionsWithLag", "version", "sasl", "tls",
    }  # fmt: skip
    assert all(isinstance(value, str) for value in found.values()), "KEDA's metadata are strings"
    assert found["bootstrapServersFromEnv"] in common["data"]
    assert found["consumerGroup"] == settings.group("triage")
    assert found["topic"] == settings.topic("messages")
    assert "messages" in {topic.name for topic in TOPICS}
    assert found["allowIdleConsumers"] == "false"
    # Every partition with markers that nobody reads: still one worker's worth at most.
    assert int(found["lagThreshold"]) >= 100 * settings.partitions
    assert (cpu["type"], cpu["metricType"]) == ("cpu", "Utilization")
    (box,) = target["spec"]["template"]["spec"]["containers"]
    assert box["resources"]["requests"]["cpu"], "a share of what, else?"
    authentications = of(everything, "TriggerAuthentication")
    assert kafka.get("authenticationRef", {}).get("name") in {None, *authentications}
    secured = common["data"].get("TOCSIN_KAFKA_SECURITY", "PLAINTEXT")
    assert ("tls" in found) == secured.endswith("SSL")
    assert ("sasl" in found) == secured.startswith("SASL")
    for one in authentications.values():
        assert {entry["parameter"] for entry in one["spec"]["secretTargetRef"]} == {"username", "password"}


def test_the_operator_finds_every_worker_under_its_role(everything: list[Document]) -> None:
    (monitor,) = of(everything, "PodMonitor").values()
    means = chosen(monitor["spec"]["selector"], everything) - {"tocsin-init"}
    assert means == {f"tocsin-{role}" for role in ROLES}
    for name in means:
        labels = workloads(everything)[name]["spec"]["template"]["metadata"]["labels"]
        assert f"tocsin-{labels[monitor['spec']['jobLabel']]}" == name
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] == "http"
    assert endpoint["authorization"]["credentials"] == {"name": "tocsin", "key": "TOCSIN_HTTP_TOKEN"}
