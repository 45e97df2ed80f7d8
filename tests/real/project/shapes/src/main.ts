import { customAlphabet } from "nanoid";
import { Shape } from "./shape";

const shape: Shape = Shape.parse({ name: "triangle", sides: 3 });
const id = customAlphabet("x", 4)();
console.log(`${shape.name} ${shape.sides} ${id}`);
