import { z } from "zod";

export const Shape = z.object({ name: z.string(), sides: z.number().int() });
export type Shape = z.infer<typeof Shape>;
