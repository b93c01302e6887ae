import { z } from 'zod'

const words = z.array(z.string())
/** One line is words as a shell has them; an empty list is none. */
const Command = z.union([z.string().max(100_000), words.max(10_000)]).nullish()
const text = z.union([z.string(), z.number(), z.boolean()]).transform(String)

/**
 * The `image` of an environment as deploys send it (control-protocol §4.4). What says how the client's machine or
 * another builder does things is taken and means nothing here.
 */
export const SentImage = z.strictObject({
  dockerfile_str: z.string().max(1_000_000).nullish(),
  image: z.string().trim().max(1_000).nullish(),
  build_args: z.record(z.string(), text).nullish(),
  registries: z.record(z.string(), z.strictObject({ username: z.string(), password: z.string() })).nullish(),
  secrets: z.record(z.string().regex(/^[A-Za-z0-9_][\w.-]{0,127}$/), text).nullish(),
  entrypoint: Command,
  cmd: Command,
  use_isolate: z.boolean().nullish(),
  builder: z.string().nullish(),
  compression: z.enum(['gzip', 'zstd']).nullish(),
  force_compression: z.boolean().nullish(),
  docker_context_dir: z.string().nullish(),
  docker_files_list: words.nullish(),
  docker_ignore: words.nullish(),
})
export type SentImage = z.output<typeof SentImage>
