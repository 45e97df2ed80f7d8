const { greeting } = require("./greeting.js");

console.log(greeting(process.argv.slice(2).join(" and ") || "world"));
