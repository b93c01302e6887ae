import type { Login } from './access.ts'
import type { ImageRegistry } from './image-registry.ts'
import { namedBy } from './names.ts'
import { pushImage } from './push.ts'

/** An operator's registry. */
export interface ExternalOptions {
  /** Its host, and what stands before the repositories that are for this server: `ghcr.io/acme/carrick`. */
  readonly address: string
  /** An empty name for one that asks nobody who they are. */
  readonly login: Login
}

/** A registry that the operator has, as this server's engine uses it. */
export function externalRegistry({ address, login }: ExternalOptions): ImageRegistry {
  const naming = namedBy(address, () => (login.username === '' ? undefined : login))
  return {
    ...naming,
    push(engine, image, repository, options) {
      const name = naming.referenceOf(repository)
      return pushImage(engine, image, { ...options, name, auth: naming.authFor(name) })
    },
  }
}
