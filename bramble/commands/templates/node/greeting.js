// Returns a greeting for somebody.
exports.greeting = (name) => `Hello, ${name}!`;
