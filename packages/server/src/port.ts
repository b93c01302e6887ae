import type { IncomingMessage, RequestListener } from 'node:http'
import { notYet } from './doors.ts'
import type { Foundation } from './foundation.ts'
import type { Challenges } from './front/challenges.ts'
import { createFront, type Front } from './front/front.ts'
import { createGrpcDoor } from './front/grpc-door.ts'
import { createHttpDoor } from './front/http-door.ts'
import type { Gateway } from './gateway/gateway.ts'
import type { Identities } from './front/identities.ts'
import { networksOf, type Networks } from './kit/networks.ts'
import type { Rejection } from './kit/rejections.ts'
import { unproxied } from './kit/secure.ts'

/** What a port is to those who connect to it. */
export interface PortOptions {
  readonly identities: Identities
  /** What ACME servers may ask for here. */
  readonly challenges?: Challenges
  /** The proxies whose word is taken; none when absent. */
  readonly isTrusted?: Networks
  /** Whom it is for. Runners push no images and pull none. */
  readonly serves?: 'people' | 'runners'
}

/** Who answers what comes in, once the roles are there. */
export interface Answering {
  readonly gateway: Pick<Gateway, 'isCall' | 'upgrade'>
  readonly listeners: Readonly<Record<NonNullable<PortOptions['serves']>, RequestListener>>
  readonly grpc: Parameters<typeof createGrpcDoor>[0]
}

/** A port whose connections are told to come again until the roles are there. */
export function openPort(
  { config, log, rejected }: Foundation,
  { identities, challenges, isTrusted = networksOf([]), serves = 'people' }: PortOptions,
  roles: () => Answering | undefined,
): Front {
  const onRejected = (reason: Rejection) => void (rejected[reason] += 1)
  // The app's request_timeout bounds a call, whose body may go on for as long as its answer.
  const mayBeSlow = (req: IncomingMessage) => roles()?.gateway.isCall(req) ?? false
  return createFront({
    tls: identities,
    ...(challenges && { challenges }),
    doors: {
      http: createHttpDoor(
        (req, res) => {
          unproxied(req, isTrusted)
          if (challenges?.answer(req, res) !== true) (roles()?.listeners[serves] ?? notYet)(req, res)
        },
        (req, socket, head) => {
          unproxied(req, isTrusted)
          const ready = roles()
          if (ready === undefined) socket.destroy()
          else ready.gateway.upgrade(req, socket, head)
        },
        { mayBeSlow, onRejected },
      ),
      grpc: createGrpcDoor(
        (req, res) => {
          unproxied(req, isTrusted)
          const handle = roles()?.grpc ?? notYet
          handle(req, res)
        },
        { onRejected },
      ),
    },
    log,
    onRejected,
    limits: { connections: config.CARRICK_MAX_CONNECTIONS },
  })
}
