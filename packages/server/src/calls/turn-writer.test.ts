import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TurnWriter } from './turn-writer.ts'

let answer: (res: ServerResponse) => void
const server = createServer((_, res) => answer(res))
let url: string
beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})
afterAll(() => void server.close())

const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

test.each([
  ['in one piece', [every]],
  ['in pieces', [every.subarray(0, 100), every.subarray(100)]],
  ['in one large piece', [Buffer.alloc(50_000, every)]],
  ['of nothing', []],
] as const)('an answer %s goes out byte for byte, and not before the turn ends', async (_, pieces) => {
  const body = Buffer.concat(pieces)
  let meanwhile: boolean | undefined
  answer = (res) => {
    const writer = new TurnWriter(res.writeHead(200, { 'content-length': body.length }))
    for (const piece of pieces) expect(writer.write(piece)).toBe(true)
    writer.end()
    meanwhile = res.writableEnded
  }
  const seen = Buffer.from(await (await fetch(url)).arrayBuffer())
  expect([meanwhile, seen]).toEqual([false, body])
})

test('what comes later goes out later: nothing is kept until the end', async () => {
  let writer: TurnWriter | undefined
  answer = (res) => {
    writer = new TurnWriter(res.writeHead(200, { 'content-length': 4 }))
    writer.write(Buffer.from('ab'))
  }
  const reader = (await fetch(url)).body?.getReader()
  expect((await reader?.read())?.value).toEqual(new Uint8Array(Buffer.from('ab')))
  writer?.write(Buffer.from('cd'))
  writer?.end()
  expect((await reader?.read())?.value).toEqual(new Uint8Array(Buffer.from('cd')))
  expect((await reader?.read())?.done).toBe(true)
})

test('an answer that was broken off meanwhile is let alone', async () => {
  answer = (res) => {
    const writer = new TurnWriter(res.writeHead(200, { 'content-length': 2 }))
    writer.write(Buffer.from('ab'))
    writer.end()
    res.destroy()
  }
  await expect(fetch(url)).rejects.toThrow('fetch failed')
})
