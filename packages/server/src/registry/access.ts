import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { httpCredentials, parseKey } from '../access/credentials.ts'
import type { Credentials, Keyring } from '../access/keyring.ts'
import type { AccountId, KeyId } from '../domain/ids.ts'
import { ownerOf, sharedOwner } from '../domain/image-names.ts'
import { mayCall, type Caller, type Permission } from '../domain/permissions.ts'
import { RegistryError } from './errors.ts'

/** A name and a password, as clients of registries send them. */
export interface Login {
  readonly username: string
  readonly password: string
}

/** Who is asking, and what is theirs. */
export interface Visitor {
  /** To tell uploads of one from those of others. */
  readonly id: string
  /** By which key, for the record of changes; absent for the server itself. */
  readonly key?: { readonly accountId: AccountId; readonly keyId: KeyId }
  /** Whose repositories it lists; undefined for all. */
  readonly owner: string | undefined
  /** Whether its tags lead to what it pushes. */
  readonly tags: boolean
  /** Throws `DENIED` unless this repository may be read. */
  mayRead(repository: string): void
  /** Throws `DENIED` unless this repository may be written to. */
  mayWrite(repository: string): void
  /** Whether it would still be let in. */
  readonly isKnown: () => boolean
}

/** What pulling and pushing take of a key. */
const access = { pull: 'apps:read', push: 'apps:write' } as const satisfies Record<string, Permission>

const challenge = { 'www-authenticate': 'Basic realm="Carrick", charset="UTF-8"' }

/** Tells who sends a request: a key, or this server itself, whose password is chance and in memory alone. */
export function createAccess(keyring: Pick<Keyring, 'identify' | 'holderOf'>) {
  const own: Login = { username: 'carrick', password: randomBytes(32).toString('hex') }
  return {
    own,
    /** Throws `UNAUTHORIZED` where no valid key is shown. */
    visitorOf(authorization: string | undefined): Visitor {
      const login = loginIn(authorization)
      if (login !== undefined && isSame(login, own)) return ourselves
      const credentials = login === undefined ? httpCredentials(authorization) : keyIn(login)
      const caller = credentials && keyring.identify(credentials)
      if (caller !== undefined) return visiting(caller, keyring)
      throw new RegistryError('UNAUTHORIZED', howToLogin, { headers: challenge })
    },
  }
}

const howToLogin =
  'a valid key is needed: docker login with any user name and FAL_KEY (id:secret) as the password, or with the id of the key and its secret'

const ourselves: Visitor = {
  id: '',
  owner: undefined,
  // What the server makes is named by digest, by its own records: a tag would keep it when those have gone.
  tags: false,
  mayRead: () => {},
  mayWrite: () => {},
  isKnown: () => true,
}

function visiting(caller: Caller, keyring: Pick<Keyring, 'holderOf'>): Visitor {
  const { nickname, keyId, accountId } = caller
  const isOwn = (repository: string) => ownerOf(repository) === nickname
  const isShared = (repository: string) => caller.operator === true && ownerOf(repository) === sharedOwner
  const demand = (permission: Permission, verb: string) => {
    if (mayCall(caller, permission)) return
    throw new RegistryError('DENIED', `to ${verb}, a key needs "${permission}", which ${keyId} does not hold`)
  }
  return {
    id: accountId,
    key: { accountId, keyId },
    owner: nickname,
    tags: true,
    mayRead(repository) {
      demand(access.pull, 'pull')
      if (!isOwn(repository) && !isShared(repository)) throw notYours(repository, nickname)
    },
    mayWrite(repository) {
      demand(access.push, 'push')
      if (!isOwn(repository)) throw notYours(repository, nickname)
    },
    isKnown: () => keyring.holderOf(keyId) !== undefined,
  }
}

function notYours(repository: string, nickname: string): RegistryError {
  return new RegistryError('DENIED', `${repository} is not yours: your repositories begin with ${nickname}/`)
}

/** A key in the forms that `docker login` can give: its id and its secret, or any name and both. */
function keyIn({ username, password }: Login): Credentials | undefined {
  return password.includes(':') ? parseKey(password) : parseKey(`${username}:${password}`)
}

const basic = /^basic\s+([A-Za-z0-9+/=_-]{1,4096})\s*$/i

function loginIn(authorization: string | undefined): Login | undefined {
  const [, encoded] = basic.exec(authorization ?? '') ?? []
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const at = text.indexOf(':')
  return at === -1 ? undefined : { username: text.slice(0, at), password: text.slice(at + 1) }
}

function isSame(login: Login, own: Login): boolean {
  return login.username === own.username && timingSafeEqual(hashOf(login.password), hashOf(own.password))
}

const hashOf = (text: string) => createHash('sha256').update(text).digest()
