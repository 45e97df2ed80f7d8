const assert = require("node:assert");

const { greeting } = require("./greeting.js");

assert.strictEqual(greeting("you"), "Hello, you!");
