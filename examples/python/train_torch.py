"""libqnt's trainable quantizers as PyTorch modules: train in the framework one has, deploy on libqnt.

    python3 examples/python/train_torch.py

Fits a small network with 2-bit weights to a function, then checks that the exported quantizer gives the
weights that training saw, bit for bit. Skips with a line where torch is not installed.
"""

import sys

try:
    import torch
except ImportError:
    print("skipped: torch is not installed")
    sys.exit(0)

import qnt


class _Quantize(torch.autograd.Function):
    """y = forward(x); the gradient by theta goes to a parameter of the framework's optimizer."""

    @staticmethod
    def forward(ctx, x, theta, trainer):
        trainer.theta = theta.detach().cpu().double().tolist()
        ctx.save_for_backward(x)
        ctx.trainer = trainer
        return torch.from_numpy(trainer.forward(x.detach().contiguous().numpy()))

    @staticmethod
    def backward(ctx, dy):
        x, = ctx.saved_tensors
        dx, dtheta = ctx.trainer.backward(x.detach().contiguous().numpy(), dy.contiguous().numpy())
        return torch.from_numpy(dx), torch.as_tensor(dtheta), None


class Quantize(torch.nn.Module):
    """A trainer as a module; theta starts at the first call."""

    def __init__(self, context, **spec):
        super().__init__()
        self.trainer = qnt.Trainer(context, **spec)
        self.theta = None

    def begin(self, x):
        self.trainer.start(x.detach().contiguous().numpy())
        self.theta = torch.nn.Parameter(torch.as_tensor(self.trainer.theta))
        return self

    def forward(self, x):
        return _Quantize.apply(x, self.theta, self.trainer)


def main():
    torch.manual_seed(1)
    context = qnt.Context()
    x = torch.randn(512, 16)
    target = torch.tanh(x @ torch.randn(16, 4))
    layer = torch.nn.Linear(16, 4)
    quantize = Quantize(context, method="lsq", bits=2, weights=True, axis=0).begin(layer.weight)
    optimizer = torch.optim.Adam(list(layer.parameters()) + [quantize.theta], lr=0.01)
    losses = []
    for _ in range(300):
        loss = ((torch.tanh(x @ quantize(layer.weight).T + layer.bias) - target) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print("loss %.4f -> %.4f" % (losses[0], losses[-1]))
    trained = quantize(layer.weight).detach().numpy()
    deployed = quantize.trainer.export().apply(layer.weight.detach().numpy())
    if not (losses[-1] < 0.7 * losses[0] and (trained == deployed).all()):
        sys.exit("training did not help, or what is deployed differs")


if __name__ == "__main__":
    main()
