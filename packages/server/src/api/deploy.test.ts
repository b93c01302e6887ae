import type { MessageInitShape } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import {
  ApplicationAuthMode,
  DeploymentStrategy,
  type RegisterApplicationRequestSchema,
  type RegisterApplicationResult,
} from '@carrick/protocol/gen/controller_pb.js'
import { beforeEach, expect, test } from 'vitest'
import { buffer } from 'node:stream/consumers'
import { abortRolling, switchRevision } from '../store/apps.ts'
import { openTestControl } from '../testing/control.ts'
import type { TestControl } from '../testing/control.ts'

let control: TestControl

beforeEach(async () => {
  control = await openTestControl()
  return () => control[Symbol.asyncDispose]()
})

const configuration = { python_version: '3.11', requirements: ['fal'] }
const code = new Uint8Array([0x80, 4, 0x2e])

/** A deploy as the stock client sends it. */
function request(
  more: MessageInitShape<typeof RegisterApplicationRequestSchema> = {},
): MessageInitShape<typeof RegisterApplicationRequestSchema> {
  return {
    applicationName: 'hello',
    environments: [{ kind: 'virtualenv', configuration }],
    machineRequirements: { machineTypes: ['S'], keepAlive: 60, maxMultiplexing: 4 },
    callable: { case: 'function', value: { method: 'cloudpickle', definition: code } },
    deploymentStrategy: DeploymentStrategy.RECREATE,
    scale: false,
    buildEnvironment: false,
    metadata: { openapi: { paths: {} } },
    ...more,
  }
}

const rolling = { deploymentStrategy: DeploymentStrategy.ROLLING }

async function register(more: MessageInitShape<typeof RegisterApplicationRequestSchema> = {}) {
  const messages: RegisterApplicationResult[] = []
  for await (const message of control.client().registerApplication(request(more))) messages.push(message)
  return messages
}

async function deployed(more: MessageInitShape<typeof RegisterApplicationRequestSchema> = {}): Promise<string> {
  return (await register(more)).at(-1)?.result?.applicationId ?? ''
}

/** Resolves with the revision that is being brought up, once one other than `not` is. */
function rollingRevision(not?: string): Promise<string> {
  return vi_until(async () => {
    const id = control.apps.find('ann', 'hello')?.app.rollingRevisionId
    return id === not ? undefined : id
  })
}

async function vi_until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const seen = await look()
    if (seen !== undefined) return seen
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const appId = () => control.apps.find('ann', 'hello')?.app.id ?? ''
const listed = async () => (await control.client().listAliases({})).aliases
