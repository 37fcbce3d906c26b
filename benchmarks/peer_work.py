"""What runs in a peer's interpreter for `benchmarks.peers`: the stateless work of `engine`."""

import functools
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import engine
from simulation import PACKAGES

# isort: split
import torch
from torch import Tensor, nn

from fedbreath.config import Config, load
from fedbreath.features import Selection, normalise
from fedbreath.views import augment
from simulation.data import prepare

#: A round of the peer, told to whoever times it.
Watch = Callable[[int, Mapping[str, Tensor]], None]


def words_of(cache: str, rounds: int) -> list[str]:
    """The work's overrides."""
    own = (f"rounds={rounds + engine.WARM_UP}", f"cache='{cache}'")
    return [*engine.SETTING, *engine.VARIANTS["stateless"], *own]


@functools.cache
def work(cache: str) -> tuple[Config, dict[str, Selection], engine.BareLoop]:
    """The run, its clients and a bare loop over them, once in a process."""
    torch.set_num_threads(1)
    config = load(words_of(cache, 1), PACKAGES)
    clients = dict(prepare(config).clients)
    return config, clients, engine.BareLoop(config, list(clients.values()))


def descendants_cpu() -> float:
    """Processor seconds of all processes below this one, where Linux says."""
    children: dict[int, list[tuple[int, int]]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        used = int(fields[11]) + int(fields[12])
        children.setdefault(int(fields[1]), []).append((int(stat.parent.name), used))
    total, fresh = 0, [os.getpid()]
    while fresh:
        for pid, used in children.get(fresh.pop(), []):
            total += used
            fresh.append(pid)
    return total / os.sysconf("SC_CLK_TCK")


def ray(cache: str, rounds: int, watch: Watch) -> None:
    """Our own engine on Ray."""
    words = [*words_of(cache, rounds), "engine=ray", "engine.workers=2"]
    config = load(words, PACKAGES)
    assert config.engine is not None
    with tempfile.TemporaryDirectory() as folder:
        config.engine.build().federate(words, work(cache)[1], Path(folder), watch, lambda _: None)


def flower(cache: str, rounds: int, watch: Watch) -> None:
    """Flower's own simulation: FedAvg, and a client that is the bare loop's."""
    from flwr.app import ArrayRecord, Context, MetricRecord  # noqa: PLC0415
    from flwr.clientapp import ClientApp  # noqa: PLC0415
    from flwr.serverapp import Grid, ServerApp  # noqa: PLC0415
    from flwr.serverapp.strategy import FedAvg  # noqa: PLC0415
    from flwr.simulation import run_simulation  # noqa: PLC0415

    server, client = ServerApp(), ClientApp()
    client.train()(functools.partial(_flower_fit, cache))

    @server.main()
    def main(grid: Grid, _: Context) -> None:
        def evaluate(number: int, arrays: ArrayRecord) -> MetricRecord:  # noqa: ARG001
            watch(number, {})
            return MetricRecord({"told": 1})

        weights = ArrayRecord(work(cache)[2].weights)
        strategy = FedAvg(fraction_train=0.1, fraction_evaluate=0.0, min_train_nodes=1)
        total = rounds + engine.WARM_UP
        strategy.start(grid, weights, num_rounds=total, evaluate_fn=evaluate)

    own: dict[str, Any] = {
        "address": "local", "num_cpus": 2, "include_dashboard": False, "log_to_driver": False,
    }  # fmt: skip
    needs: dict[str, Any] = {"num_cpus": 1, "num_gpus": 0.0}
    run_simulation(
        server, client, 100, backend_config={"init_args": own, "client_resources": needs}
    )


def _flower_fit(cache: str, message: Any, context: Any) -> Any:
    from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict  # noqa: PLC0415

    _, clients, bare = work(cache)
    bare.weights = message.content["arrays"].to_torch_state_dict()
    selection = list(clients.values())[int(context.node_config["partition-id"])]
    bare._client(selection)
    metrics = MetricRecord({"num-examples": len(selection)})
    content = RecordDict({"arrays": ArrayRecord(bare.model.state_dict()), "metrics": metrics})
    return Message(content, reply_to=message)


class Steps(nn.Module):
    """The bare loop's model as pfl wants one."""

    def __init__(self, bare: engine.BareLoop) -> None:
        super().__init__()
        self.model, self.bare = bare.model, [bare]  # the list keeps it from being a submodule

    def loss(self, first: Tensor, second: Tensor) -> Tensor:
        """The loss of two views."""
        bare = self.bare[0]
        loss: Tensor = bare.objective(bare.encoder, [first, second])
        return loss

    def metrics(self, *_: Tensor) -> dict[str, Any]:
        """None."""
        return {}


class Person:
    """A client's recordings as a pfl data set: batches are drawn, as the bare loop draws them."""

    def __init__(self, config: Config, selection: Selection, rng: Any) -> None:
        self.config, self.selection, self.rng = config, selection, rng
        self.train_kwargs: dict[str, Any] = {}
        self.eval_kwargs: dict[str, Any] = {}
        self.user_id, self.metadata, self.raw_data = None, dict[str, Any](), ()

    def __len__(self) -> int:
        return len(self.selection)

    def iter(self, batch_size: int) -> Iterator[list[Tensor]]:
        """Two views of each of a batch's recordings, (B, mels, frames)."""
        front_end, views = self.config.front_end, self.config.views
        for _ in range(self.config.training.steps):  # pfl evaluates once, in the warm-up
            size = min(batch_size, len(self.selection))
            drawn = self.rng.choice(len(self.selection), size, replace=False)
            batch = []
            for _view in range(2):
                frames = front_end.frames(views.seconds)
                crops = normalise(self.selection.crops(drawn, frames, self.rng), front_end)
                augment(crops, views, self.rng, scale=front_end.sd)
                batch.append(torch.from_numpy(crops).transpose(1, 2))
            yield batch


def pfl(cache: str, rounds: int, watch: Watch) -> None:
    """Pfl's FederatedAveraging in its SimulatedBackend."""
    from pfl.aggregate.simulate import SimulatedBackend  # noqa: PLC0415
    from pfl.algorithm.base import NNAlgorithmParams  # noqa: PLC0415
    from pfl.algorithm.federated_averaging import FederatedAveraging  # noqa: PLC0415
    from pfl.callback.base import TrainingProcessCallback  # noqa: PLC0415
    from pfl.data.federated_dataset import FederatedDataset  # noqa: PLC0415
    from pfl.hyperparam.base import NNEvalHyperParams, NNTrainHyperParams  # noqa: PLC0415
    from pfl.model.pytorch import PyTorchModel  # noqa: PLC0415

    config, clients, _ = work(cache)
    own = engine.BareLoop(config, list(clients.values()))
    people = [Person(config, selection, own.rng) for selection in clients.values()]

    class Told(TrainingProcessCallback):  # type: ignore[misc]
        def after_central_iteration(self, metrics: Any, model: Any, **told: int) -> Any:  # noqa: ARG002
            watch(told["central_iteration"] + 1, {})
            return False, type(metrics)()

    training = config.training
    adam = functools.partial(torch.optim.AdamW, weight_decay=training.weight_decay, fused=True)
    steps = Steps(own)
    model = PyTorchModel(steps, adam, torch.optim.SGD(steps.parameters(), lr=1.0))
    data = FederatedDataset(people.__getitem__, lambda: int(own.rng.integers(len(people))))
    total = rounds + engine.WARM_UP
    FederatedAveraging().run(
        NNAlgorithmParams(total, total + 1, engine.COHORT, 0),
        SimulatedBackend(data, data), model,
        NNTrainHyperParams(
            local_batch_size=training.batch_size, local_num_epochs=None,
            local_num_steps=training.steps, local_learning_rate=training.learning_rate,
        ),
        NNEvalHyperParams(local_batch_size=training.batch_size), [Told()],
    )  # fmt: skip


def main(words: Sequence[str]) -> None:
    """Run a peer; print one JSON line."""
    name, rounds, cache = words[0], int(words[1]), words[2]
    bare = work(cache)[2]
    watch = engine.Stopwatch(bare, descendants_cpu)
    started = time.perf_counter()
    first: list[float] = []

    def told(number: int, weights: Mapping[str, Tensor]) -> None:
        if number == 1:
            first.append(time.perf_counter() - started - sum(w for _, w in watch.loop))
        watch(number, weights)

    {"ray": ray, "flower": flower, "pfl": pfl}[name](cache, int(rounds), told)
    print(json.dumps({**engine.medians(watch), "first_round_s": first[0]}), flush=True)
