/**
 * How images are named (OCI distribution specification 1.1): `host/repository:tag` and `host/repository@digest`. A name is
 * a path of ours too, so what is no name is refused before anything is looked up.
 */

const part = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const repositoryForm = new RegExp(`^${part}(?:/${part})*$`)
const tagForm = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/
const digestForm = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/

/** The longest that clients take, host included, is 255. */
const longestRepository = 200

export const isRepository = (name: string): boolean => name.length <= longestRepository && repositoryForm.test(name)
export const isTag = (name: string): boolean => tagForm.test(name)
export const isDigest = (text: string): boolean => digestForm.test(text)

/** The algorithm of a digest, by the name that `node:crypto` has for it. */
export const algorithmOf = (digest: string): 'sha256' | 'sha512' => (digest.startsWith('sha512:') ? 'sha512' : 'sha256')

/** Whose repository it is: the first part of its name. */
export const ownerOf = (repository: string): string => repository.split('/', 1)[0] ?? ''

/**
 * Whose repositories hold what is nobody's alone, such as environments of equal requirements. No account can be called so.
 */
export const sharedOwner = 'carrick.images'

/** Whether a registry is on this machine's loopback. Docker trusts one there without a certificate; Podman has to be told. */
export const isOnLoopback = (reference: string): boolean =>
  /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?\//.test(reference)
