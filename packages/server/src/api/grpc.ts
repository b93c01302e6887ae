import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { createContextValues } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { IsolateController } from '@carrick/protocol/gen/controller_pb.js'
import type { Connection } from '../domain/addresses.ts'
import { isSecure } from '../kit/secure.ts'
import type { Deps } from './deps.ts'
import { implementation } from './grpc-methods.ts'
import { connectionKey } from './grpc-serve.ts'

export interface GrpcOptions {
  /** Largest message, in bytes: a deploy carries the app in one. */
  readonly messageLimit: number
}

export type GrpcHandler = (request: Http2ServerRequest, response: Http2ServerResponse) => void

/** The control plane as the stock `fal` command speaks to it: a listener for an HTTP/2 server. */
export function createGrpcHandler(deps: Deps, { messageLimit }: GrpcOptions): GrpcHandler {
  return connectNodeAdapter({
    routes: (router) => router.service(IsolateController, implementation(deps)),
    connect: false,
    grpcWeb: false,
    readMaxBytes: messageLimit,
    contextValues: (request) => createContextValues().set(connectionKey, connectionOf(request)),
  })
}

function connectionOf(request: IncomingMessage | Http2ServerRequest): Connection {
  return { secure: isSecure(request), authority: 'authority' in request ? request.authority : request.headers.host }
}
