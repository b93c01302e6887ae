const mounts = /--mount=(\S+)/g

/**
 * A Dockerfile for Buildah, which knows no owners of caches: each cache that an instruction mounts gets the id that `idOf` makes of its
 * own. Whoever does not go through here has caches that nobody else uses, for no other id can be guessed.
 */
export function withOwnCaches(dockerfile: string, idOf: (own: string) => string): string {
  return dockerfile.replace(mounts, (mount, options: string) => {
    const fields = options.split(',')
    if (!fields.some((field) => /^["']?type=["']?cache["']?$/i.test(field))) return mount
    const valueOf = (...names: string[]) =>
      fields.find((field) => names.some((name) => field.startsWith(`${name}=`)))?.replace(/^[^=]*=/, '')
    const id = idOf(valueOf('id') ?? valueOf('target', 'dst', 'destination') ?? '')
    return `--mount=${[...fields.filter((field) => !field.startsWith('id=')), `id=${id}`].join(',')}`
  })
}

/**
 * Whether instructions mount what Buildah does not look at when it takes a step from its cache: files of the context, or of another
 * stage. What they would give may be another thing by now.
 */
export function mountsFiles(dockerfile: string): boolean {
  return Array.from(dockerfile.matchAll(mounts)).some(
    ([, options = '']) => !/(?:^|,)["']?type=["']?(?:cache|tmpfs|secret|ssh)["']?(?:,|$)/i.test(options),
  )
}
