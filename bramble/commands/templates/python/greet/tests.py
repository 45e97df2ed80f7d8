"""What the program has to do."""

import unittest

from greet.main import greeting


class Greeting(unittest.TestCase):
    def test_the_name_is_in_it(self):
        self.assertEqual(greeting("you"), "Hello, you!")
