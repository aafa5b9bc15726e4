"""Warm-up schedules: what a learning rate, or a pool of environments, is at each step.

    from warmer.ramp import Ramp

    ramp = Ramp.parse("linear(10%) then cosine", total=10_000)
    ramp(0), ramp(500), ramp(1_000), ramp(10_000)        # 0.0, 0.5, 1.0, 0.0
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, ramp)

A ramp is phases in a row; a phase has a shape, a length, and the value that it leads to. It starts
where the phase before it ended: the first at 0, to climb to 1. What comes later falls to 0 where
nothing else is said. Ramps are pure functions of the step, so resuming is asking for a later step,
and they depend on the standard library alone. A NumPy array of steps gives an array of values.

Warm-up and its increments: Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1
Hour" (2017), section 2.2. The inverse square root: Vaswani et al., "Attention Is All You Need"
(2017), equation 3. Cosine and restarts: Loshchilov and Hutter, "SGDR" (2017), equation 5.
Warm-up, stable, decay: Hu et al., "MiniCPM" (2024), section 4.
"""

from __future__ import annotations

from warmer.ramp.phase import Phase
from warmer.ramp.ramp import Ramp, Resumed, transformer

__all__ = ["Phase", "Ramp", "Resumed", "transformer"]
