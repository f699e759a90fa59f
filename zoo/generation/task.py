"""AdversarialGenerator: a generator of samples and a discriminator take turns.

Source: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, Algorithm 1
Batch: (images, labels), or (samples,)
"""

from typing import Any, Literal, NamedTuple

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.strategies import DDPStrategy
from torch import Generator, Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from zoo.errors import InputError, in_bounds
from zoo.generation.moving_average import MovingAverage
from zoo.generation.objectives import OBJECTIVES, gradient_penalty
from zoo.shapes import Labels, Noise, Samples, Scores
from zoo.task import Step, Task
from zoo.training.loop_progress import batches_begun
from zoo.training.manual_optimization import (
    average_ranks,
    backward,
    refuse_options,
    step_schedules,
    without_plateau,
)
from zoo.training.optimization import batches_per_epoch, evaluates_repeatedly, run_epochs
from zoo.training.ranks import FixedDraws

Batch = tuple[Samples] | tuple[Samples, Labels]


class Part(NamedTuple):
    """Rows that go through the networks together.

    Attributes:
        samples: Data, (rows, ...).
        labels: Labels of the samples, (rows), where the networks are given them.
        noise: Noise for as many samples, (rows, latent).
        share: Share of the rows of the batch.
    """

    samples: Tensor
    labels: Tensor | None
    noise: Tensor
    share: float


def adam(parameters: Any) -> Optimizer:
    """Adam with the settings of DCGAN (Radford, Metz and Chintala 2016, Section 4)."""
    return torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999))


class AdversarialGenerator(Task):
    """Base of the adversarial networks: a `generator` of samples and a `discriminator`.

    In a step the discriminator learns to distinguish a batch of data from as many samples, then the
    generator to make samples that it takes for data; the other network stays as it is. Logs the
    losses of both (`loss_d`, `loss_g`; their sum is `loss`), and D(x) and D(G(z)) as means
    (`real_score`, `fake_score`). Steps, of the run and of schedules, are the generator's. The best
    checkpoint is the newest: the losses of a game say little.

    Optimization is by hand, and so are clipping and accumulation: the Trainer's are refused.

    Args:
        latent_dim: Values of the noise of a sample, drawn from N(0, 1).
        objective: Losses of both networks; wasserstein comes with the gradient penalty.
        penalty_weight: Weight of the gradient penalty.
        discriminator_steps: Number of batches that the discriminator learns from for each that the
            generator learns from, too.
        ema_decay: Maximum decay of the exponential moving average (EMA) of the generator's weights,
            used to draw samples outside training; 0 disables it.
        gradient_clip_val: Maximum norm of the gradient of each network; 0 for no limit.
        micro_batch_size: Number of rows that go through the networks at a time, where memory is
            short; gradients are accumulated over a batch. By default the whole batch.
        conditional: Whether the networks are given the label of each sample.
        optimizer: Optimizer of each network, made from its parameters.
        discriminator_optimizer: Optimizer of the discriminator; by default like the generator's.
        discriminator_lr_scheduler: Its learning-rate schedule; by default like the generator's.
        task: Arguments of every task.

    Raises:
        InputError: An argument is out of range.
    """

    metric_names = ("loss_d", "loss_g", "real_score", "fake_score")
    manual_optimization = True
    predicts = "--num 64"
    generator: nn.Module
    discriminator: nn.Module
    averaged: MovingAverage | None

    def __init__(
        self,
        latent_dim: int,
        objective: Literal[
            "non_saturating", "least_squares", "hinge", "wasserstein"
        ] = "non_saturating",
        penalty_weight: float = 10.0,
        discriminator_steps: int = 1,
        ema_decay: float = 0.0,
        gradient_clip_val: float = 0.0,
        micro_batch_size: int | None = None,
        conditional: bool = False,
        optimizer: OptimizerCallable = adam,
        discriminator_optimizer: OptimizerCallable | None = None,
        discriminator_lr_scheduler: LRSchedulerCallable | None = None,
        **task: Any,
    ) -> None:
        super().__init__(optimizer=optimizer, **task)
        self.monitor = None
        in_bounds(1, latent_dim=latent_dim, discriminator_steps=discriminator_steps)
        in_bounds(1, micro_batch_size=micro_batch_size)
        in_bounds(0, penalty_weight=penalty_weight, gradient_clip_val=gradient_clip_val)
        if not 0 <= ema_decay < 1:
            raise InputError(f"ema_decay must be in [0, 1), not {ema_decay}")
        self.latent_dim, self.conditional = latent_dim, conditional
        self.objective = OBJECTIVES[objective]
        self.penalty_weight = penalty_weight if objective == "wasserstein" else 0.0
        self.discriminator_steps = discriminator_steps
        self.ema_decay = ema_decay
        self.gradient_clip_val = gradient_clip_val
        self.micro_batch_size = micro_batch_size
        self.discriminator_optimizer = discriminator_optimizer or self.optimizer
        self.discriminator_lr_scheduler = discriminator_lr_scheduler or self.lr_scheduler
        self._draws = FixedDraws()

    def assemble(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Takes over both networks, as they are before training; an architecture calls this."""
        self.generator, self.discriminator = generator, discriminator
        self.averaged = MovingAverage(generator, self.ema_decay) if self.ema_decay else None

    # Samples and what is told of them

    def forward(self, noise: Noise, labels: Labels | None = None) -> Samples:
        """Samples; outside of training by the averaged weights, where there are such."""
        network = self.generator if self.training else self.averaged or self.generator
        return network(self.latent(noise, labels))

    def discriminate(self, samples: Samples, labels: Labels | None = None) -> Scores:
        """Returns the discriminator's logits of samples."""
        return self.discriminator(self.seen(samples, labels)).flatten()

    def latent(self, noise: Noise, labels: Labels | None) -> Tensor:
        """What the generator reads."""
        return noise

    def seen(self, samples: Samples, labels: Labels | None) -> Tensor:
        """What the discriminator looks at."""
        return samples

    def noise(self, rows: int, generator: Generator | None = None) -> Noise:
        """Noise for so many samples, on the model's device."""
        where = self.device if generator is None else generator.device
        drawn = torch.randn(rows, self.latent_dim, generator=generator, device=where)
        return drawn.to(next(self.generator.parameters()))

    def fixed_noise(self, rows: int) -> Noise:
        """Returns this rank's share of the noise of a batch that all ranks evaluate together."""
        return self._draws.rows([1] * rows, self.noise)

    def forward_inputs(self, batch: Batch) -> tuple[Noise]:
        return (self.noise(len(batch[0])),)

    def step(self, batch: Batch) -> Step:
        """Losses of both networks as they are; in evaluation the noise is always the same."""
        samples, *answers = batch
        labels = answers[0] if self.conditional else None
        rows = len(samples)
        fake = self(self.noise(rows) if self.training else self.fixed_noise(rows), labels)
        real_logits = self.discriminate(samples, labels)
        fake_logits = self.discriminate(fake, labels)
        losses = {
            "loss_d": self.objective.discriminator(real_logits, fake_logits),
            "loss_g": self.objective.generator(fake_logits),
        }
        sums = {name: loss * len(samples) for name, loss in losses.items()}
        sums |= self.shown(real_logits, fake_logits)
        return Step(losses["loss_d"] + losses["loss_g"], len(samples), sums, fake.detach())

    def shown(self, real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
        """D(x) and D(G(z)), each summed over the rows."""
        logits = {"real_score": real_logits, "fake_score": fake_logits}
        return {name: self.objective.shown(each.detach()).sum() for name, each in logits.items()}

    def on_validation_epoch_start(self) -> None:
        super().on_validation_epoch_start()
        self._draws.restart(self.device)

    on_test_epoch_start = on_validation_epoch_start

    def measure(self, batch: Batch) -> dict[str, Any] | None:
        with self._draws.shared(self.trainer.world_size):
            if not len(batch[0]):
                self.fixed_noise(0)  # for the other ranks
            return super().measure(batch)

    def derived(self, means: dict[str, Tensor]) -> dict[str, Tensor]:
        """In evaluation with what is measured of all samples together."""
        return means if self.training else means | self.quality()

    def quality(self) -> dict[str, Tensor]:
        """Measures of the samples of an evaluation, on every process the same."""
        return {}

    # The turns

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        parts = self._parts(batch)
        both = batches_begun(self.trainer) % self.discriminator_steps == 0
        discriminator, generator = self.optimizers()  # type: ignore[attr-defined]
        sums, samples = self._teach_discriminator(parts, keep=both and len(parts) == 1)
        average_ranks(self.trainer, self.discriminator)
        # By the strategy: `step` of Lightning's optimizer would count as a step of the run.
        self.trainer.strategy.optimizer_step(discriminator.optimizer, lambda: None)
        discriminator.zero_grad()
        if both:
            with self.toggled_optimizer(generator):
                sums["loss_g"] = self._teach_generator(parts, samples)
            average_ranks(self.trainer, self.generator)
            generator.step()
            generator.zero_grad()
            if self.averaged:
                self.averaged.update(self.generator)
            step_schedules(self, "step")
        size = len(batch[0])
        loss = (sums["loss_d"] + sums["loss_g"]) / size
        self._window.update(loss, sums, size)
        return loss

    def _parts(self, batch: Batch) -> list[Part]:
        samples, *answers = batch
        size = len(samples)
        rows = self.micro_batch_size or size
        labels = answers[0].split(rows) if self.conditional else [None] * -(-size // rows)
        columns = (samples.split(rows), labels, self.noise(size).split(rows))
        return [Part(*part, len(part[0]) / size) for part in zip(*columns, strict=True)]

    def _teach_discriminator(
        self, parts: list[Part], keep: bool
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """Leaves gradients at the discriminator.

        Args:
            parts: Of the batch.
            keep: Whether the samples keep how they were made, so that the generator can learn.

        Returns:
            The losses and scores, each summed over the rows, and the samples, where they are kept.
        """
        sums: dict[str, Tensor] = {}
        for samples, labels, noise, share in parts:
            with torch.set_grad_enabled(keep):
                fake = self(noise, labels)
            real_logits = self.discriminate(samples, labels)
            fake_logits = self.discriminate(fake.detach(), labels)
            loss = self.objective.discriminator(real_logits, fake_logits)
            losses = {"loss_d": loss, "loss_g": self.objective.generator(fake_logits)}
            found = {name: each.detach() * len(samples) for name, each in losses.items()}
            found |= self.shown(real_logits, fake_logits)
            sums = {name: sums.get(name, 0) + value for name, value in found.items()}
            if self.penalty_weight:
                loss = loss + self.penalty_weight * self._penalty(samples, fake.detach(), labels)
            backward(self, loss * share)
        return sums, fake if keep else None

    def _penalty(self, real: Tensor, fake: Tensor, labels: Tensor | None) -> Tensor:
        """In single precision: in half of it the gradient's gradient would vanish."""
        with torch.autocast(self.device.type, enabled=False):
            single = (samples.float() for samples in (real, fake))
            return gradient_penalty(lambda between: self.discriminate(between, labels), *single)

    def _teach_generator(self, parts: list[Part], samples: Tensor | None) -> Tensor:
        """Leaves gradients at the generator; returns its loss, summed over the rows.

        Args:
            parts: Of the batch.
            samples: Those that the discriminator has seen, where they were kept.
        """
        total = torch.zeros((), device=self.device)
        for part in parts:
            fake = self(part.noise, part.labels) if samples is None else samples
            loss = self.objective.generator(self.discriminate(fake, part.labels))
            backward(self, loss * part.share)
            total += loss.detach() * len(part.noise)
        return total

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clips after the gradients are summed, averaged and, under float16, unscaled."""
        super().on_before_optimizer_step(optimizer)
        if self.gradient_clip_val:
            self.clip_gradients(optimizer, self.gradient_clip_val, "norm")

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        step_schedules(self, "epoch")

    # Two optimizers

    def configure_optimizers(self) -> Any:
        """The discriminator's and the generator's.

        Raises:
            InputError: An option of the trainer, an optimizer or a schedule is not for this.
        """
        trainer = self.trainer
        in_parallel = trainer.world_size > 1 and not isinstance(trainer.strategy, DDPStrategy)
        refuse_options(
            "two networks that take turns",
            {
                "clip by --model.gradient_clip_val, not by the trainer": trainer.gradient_clip_val,
                "accumulate by --model.micro_batch_size": trainer.accumulate_grad_batches > 1,
                "train on several devices by --trainer.strategy ddp": in_parallel,
            },
        )
        self.automatic_optimization = False
        return [
            self._one_of_two(
                self.discriminator, self.discriminator_optimizer, self.discriminator_lr_scheduler
            ),
            self._one_of_two(self.generator, self.optimizer, self.lr_scheduler),
        ]

    def _one_of_two(
        self,
        network: nn.Module,
        optimizer: OptimizerCallable,
        lr_scheduler: LRSchedulerCallable | None,
    ) -> dict[str, Any]:
        configured = without_plateau(self.configured(network, optimizer, lr_scheduler))
        made, schedule = configured["optimizer"], configured.get("lr_scheduler", {})
        if evaluates_repeatedly(made):
            raise InputError(f"{type(made).__name__} is for one network: take Adam or SGD")
        if isinstance(schedule.get("scheduler"), ReduceLROnPlateau):
            raise InputError("no loss of two networks falls to a plateau: take another schedule")
        return configured

    def schedule_length(self) -> int:
        """Returns the number of schedule steps: by steps, those of the generator."""
        if self.schedule_interval == "epoch":
            return run_epochs(self.trainer, self.discriminator_steps)
        length, epochs = super().schedule_length(), self.trainer.max_epochs or 0
        if epochs < 1:
            return length
        batches = int(batches_per_epoch(self.trainer) * epochs)
        return min(length, max(1, batches // self.discriminator_steps))
