"""Quantizers that learn."""
import os
import subprocess
import sys

import qnt
from case import Case, needs_numpy, np


class Training(Case):
    @needs_numpy
    def test_learns_and_exports(self):
        random = np.random.default_rng(3)
        x = random.normal(size=(8, 40)).astype("f4")
        for method in ("lsq", "pact", "dorefa", "interval", "n2uq", "staircase", "rq", "srq", "balanced"):
            trainer = qnt.Trainer(self.context, method, bits=3, axis=0, seed=7).start(x)
            trainer.hard = 1
            y = trainer.forward(x)
            np.testing.assert_array_equal(trainer.export(x).apply(x), y)
            dx, dtheta = trainer.backward(x, y - x)
            self.assertEqual(dx.shape, x.shape)
            self.assertEqual(len(dtheta), len(trainer.theta))
        trainer = qnt.Trainer(self.context, "lsq", bits=3, axis=0).start(x)
        trainer.theta = trainer.theta * 2
        first = ((trainer.forward(x) - x) ** 2).mean()
        for step in range(200):
            trainer.step = step
            _, dtheta = trainer.backward(x, trainer.forward(x) - x)
            trainer.theta = trainer.theta - 0.02 * dtheta
        self.assertLess(((trainer.forward(x) - x) ** 2).mean(), 0.8 * first)
        with self.assertRaisesRegex(qnt.Error, "go back"):
            trainer.step = 3

    @needs_numpy
    def test_values_of_signs(self):
        x = np.maximum(np.random.default_rng(4).normal(size=400), 0).astype("f4")
        for method in ("alq", "lq"):
            trainer = qnt.Trainer(self.context, method, bits=2, weights=False).start(x)
            first = trainer.theta
            trainer.refit(2 * x, 0.5)
            self.assertTrue((trainer.theta > first).all())
            y = trainer.forward(x)
            self.assertLessEqual(len(set(y)), 4)
            np.testing.assert_array_equal(trainer.export().apply(x), y)
        with self.assertRaisesRegex(qnt.Error, "gradients"):
            qnt.Trainer(self.context, "lsq").start(x).refit(x)

    @needs_numpy
    def test_bases(self):
        random = np.random.default_rng(5)
        layers = [qnt.Bases(self.context, random.normal(size=(6, 30)).astype("f4"), bases=3) for _ in range(2)]
        goal = random.normal(size=(6, 30)).astype("f4")
        first = ((layers[0].weights() - goal) ** 2).mean()
        for step in range(100):
            for layer in layers:
                layer.step("bases", 0.2, layer.weights() - goal)
        self.assertLess(((layers[0].weights() - goal) ** 2).mean(), 0.7 * first)
        qnt.prune(layers, 2)
        self.assertLessEqual(qnt.mean_bits(layers), 2)
        w = layers[0].weights()
        np.testing.assert_array_equal(layers[0].export().apply(w), w)
        other = qnt.Bases(self.context, goal, bases=3)
        other.state = layers[0].state
        np.testing.assert_array_equal(other.weights(), w)
        self.assertEqual(other.bits, layers[0].bits)
        with self.assertRaisesRegex(qnt.Error, "count"):
            other.state = layers[0].state[1:]

    def test_torch(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "train_torch.py")
        done = subprocess.run([sys.executable, script], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        if "skipped" in done.stdout:
            self.skipTest(done.stdout.strip())
