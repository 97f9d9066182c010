"""Ray on a head and a second node, both on this machine: whatever is killed, the scan comes to the same."""

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from hitl.compute.local import Local
from hitl.compute.on_ray import OnRay
from hitl.compute.survey import Survey, SurveyShards
from hitl.errors import ComputeError, ConfigError, PoolError

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(find_spec("ray") is None, reason="hitl[ray] is not installed"),
]

NODE = {"num_cpus": 1, "object_store_memory": 120 << 20, "include_dashboard": False}


@pytest.fixture(scope="module")
def cluster():
    """A head and a second node with a token, one CPU each; gone with all their processes when the tests end."""
    # Not pytest's own folder: a socket's path has to be short.
    folder = Path(tempfile.mkdtemp(prefix="hitl-ray-"))
    token = folder / "token"
    token.write_text("a" * 64)
    token.chmod(0o600)
    with pytest.MonkeyPatch.context() as env:
        # Else the cluster's address would be left where every Ray of this machine looks for one.
        env.setenv("RAY_TMPDIR", str(folder))
        (folder / "ray").mkdir()
        env.delenv("RAY_ADDRESS", raising=False)
        env.setenv("RAY_AUTH_MODE", "token")
        env.setenv("RAY_AUTH_TOKEN_PATH", str(token))
        env.setenv("RAY_USAGE_STATS_ENABLED", "0")
        env.setenv("OMP_NUM_THREADS", "1")
        env.setenv("RAY_health_check_period_ms", "500")
        env.setenv("RAY_health_check_failure_threshold", "4")
        import ray
        from ray.cluster_utils import Cluster

        read_environment_again()
        running = Cluster()
        try:
            running.add_node(**NODE, temp_dir=str(folder / "ray"))
            yield running
        finally:
            ray.shutdown()
            running.shutdown()
            shutil.rmtree(folder, ignore_errors=True)
    read_environment_again()


def read_environment_again():
    """Ray reads its variables when it is imported, which another test may have done before; so do Ray's own tests."""
    from ray._raylet import AuthenticationTokenLoader, Config

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


@pytest.fixture(scope="module")
def second(cluster):
    return cluster.add_node(**NODE)


def stuck_once(fitted, folder, node=None):
    """A model that hangs in mid-block, in the first worker (on `node`) that comes to its second batch."""

    import ray

    class Stuck:
        def __init__(self):
            self.calls = 0

        def predict(self, x):
            self.calls += 1
            here = ray.get_runtime_context().get_node_id()
            Path(folder, f"worker-{os.getpid()}").touch()
            if self.calls == 2 and node in (None, here) and not Path(folder, "stuck").exists():
                Path(folder, f"stuck-{os.getpid()}").write_text(str(os.getpid()))
                os.rename(Path(folder, f"stuck-{os.getpid()}"), Path(folder, "stuck"))
                time.sleep(600)
            return fitted.predict(x)

    return Stuck


def when_stuck(folder, then):
    """Calls `then(pid)` as soon as a worker hangs; join the thread that is returned."""

    def wait():
        while not Path(folder, "stuck").exists():
            time.sleep(0.05)
        then(int(Path(folder, "stuck").read_text()))

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


@pytest.fixture(scope="module")
def survey(world):
    return Survey.of(world.pool(), world.plan.strata)


@pytest.mark.cluster
def test_the_same_on_two_nodes(cluster, second, world, truth, same):
    shards, compute = world.shards(), OnRay(cluster.address)
    found = compute.run(SurveyShards(shards, world.plan.strata)).result()
    heard = []
    same(compute.run(world.work(shards, found), lambda *what: heard.append(what)).result(), truth)
    assert heard[-1] == ("scoring the pool", 1651, 1651)


@pytest.mark.cluster
def test_a_campaign_picks_what_it_picks_here(cluster, second, picks):
    assert picks(OnRay(cluster.address)) == picks(Local(1))


def test_a_block_that_fails_is_told_as_it_is(cluster, world, survey, tmp_path):
    for path in world.folder.glob("*.parquet"):
        shutil.copy(path, tmp_path)
    shards = world.shards(tmp_path)
    torn = tmp_path / "part-2.parquet"
    torn.write_bytes(torn.read_bytes()[:-100])
    with pytest.raises(PoolError, match=r"part-2\.parquet: this shard cannot be read"):
        OnRay(cluster.address).run(world.work(shards, survey))


def test_more_than_there_is_cannot_be_asked_for(cluster, world, survey):
    with pytest.raises(ConfigError, match="no actor of 1 CPUs and 1 GPUs fits"):
        OnRay(cluster.address, gpus=1).run(world.work(world.shards(), survey))


@pytest.mark.cluster
def test_a_worker_killed_in_mid_scan_changes_nothing(cluster, second, world, survey, truth, same, tmp_path):
    killer = when_stuck(tmp_path, lambda pid: os.kill(pid, signal.SIGKILL))
    work = world.work(world.shards(), survey, stuck_once(world.fitted, tmp_path))
    same(OnRay(cluster.address, cpus=0.5, actors=2).run(work).result(), truth)
    killer.join(1)
    assert not killer.is_alive()


@pytest.mark.cluster
def test_a_node_killed_in_mid_scan_changes_nothing(cluster, second, world, survey, truth, same, tmp_path):
    killer = when_stuck(tmp_path, lambda pid: cluster.remove_node(second, allow_graceful=False))
    work = world.work(world.shards(), survey, stuck_once(world.fitted, tmp_path, node=second.node_id))
    same(OnRay(cluster.address).run(work).result(), truth)
    killer.join(1)
    assert not killer.is_alive()
    assert len(cluster.list_all_nodes()) == 1


def test_the_same_on_one_node_of_many_blocks(cluster, world, survey, truth, same):
    same(OnRay(cluster.address).run(world.work(world.shards(block_rows=1), survey)).result(), truth)


@pytest.mark.parametrize("address", ["ray://head:10001", "head"])
def test_addresses_of_another_kind_are_refused(world, survey, address):
    with pytest.raises(ConfigError, match="HOST:PORT"):
        OnRay(address).run(world.work(world.shards(), survey))


def test_an_address_where_nothing_answers_is_told(world, survey):
    with pytest.raises(ComputeError, match="nothing answers there"):
        OnRay("127.0.0.1:1").run(world.work(world.shards(), survey))


def test_without_ray_the_extra_is_named(world, survey, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'hitl\[ray\]'"):
        OnRay().run(world.work(world.shards(), survey))
