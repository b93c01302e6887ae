import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CallTokens } from '../access/call-tokens.ts'
import type { Keyring } from '../access/keyring.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import type { Caller } from '../calls/call.ts'
import type { ServerNames } from '../domain/addresses.ts'
import type { AppId, RequestId, RunnerId } from '../domain/ids.ts'
import type { Judged } from '../domain/retry.ts'
import type { Unplaced } from '../domain/placement.ts'
import type { EndReason, Exceeded } from '../domain/runner.ts'
import type { Apps } from '../home/apps.ts'
import type { Homes } from '../home/home.ts'
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import type { Rejected } from '../kit/rejections.ts'
import type { LogStore } from '../logs/log-store.ts'
import type { Cancelled } from '../store/requests.ts'
import type { Store } from '../store/store.ts'

export interface GatewayDeps {
  readonly store: Store
  readonly homes: Homes
  readonly apps: Apps
  readonly keyring: Keyring
  readonly callTokens: Pick<CallTokens, 'identify'>
  readonly caller: Caller
  readonly blobs: BlobStore
  readonly logs: LogStore
  readonly clock: Clock
  readonly log: Logger
  /** What was turned away, counted. */
  readonly rejected: Rejected
  readonly names: () => ServerNames
  readonly limits: GatewayLimits
  /** Ends a request that waits; asks the app to stop one that runs. */
  readonly cancel: (requestId: RequestId) => Promise<Cancelled>
  /** Told of runners that should be looked at, or ended. The home has let go of the latter already. */
  readonly onRunnerVerdict: (runnerId: RunnerId, verdict: Judged['kind'], reason: Judged['reason']) => void
  /** What a runner wanted too much of, if that has ended it. */
  readonly whatExceeded?: (id: RunnerId) => Promise<Exceeded | undefined>
  /** Why the start of a runner failed last, until one succeeds. */
  readonly startFailureOf: (appId: AppId) => EndReason | undefined
  /** Whether it has no runner and gets none, because its account may spend no more. */
  readonly isOverBudget?: (appId: AppId) => boolean
  /** Why no runner of it can be started. */
  readonly unplacedOf?: (appId: AppId) => Unplaced | undefined
  /** Whether webhooks may be sent to this address, of which it is known before anything is resolved. */
  readonly mayCallBack: (address: string) => boolean
  /** False while the platform is going down: then nothing new is taken in. */
  readonly accepting: () => boolean
}

export interface GatewayLimits {
  /** Of a request's body. */
  readonly bodyBytes: number
  /** Requests that may wait in one app's queue. */
  readonly queueLength: number
  readonly connectTimeoutMs: number
  /** Of one WebSocket message, where messages are looked at. */
  readonly socketMessageBytes: number
  /** For how long nothing may come or go on a WebSocket. */
  readonly socketIdleMs: number
}

/** What WebSockets need besides. */
export interface SocketDeps extends GatewayDeps {
  /** Aborts when the server was asked to stop. */
  readonly draining: AbortSignal
}

/** One HTTP request, and the id under which the platform speaks of it. */
export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly requestId: RequestId
}
