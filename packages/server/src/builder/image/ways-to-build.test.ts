import type Docker from 'dockerode'
import { expect, test } from 'vitest'
import { WayToBuild } from './ways-to-build.ts'

function wayOf(component: string): WayToBuild {
  const engine = { version: async () => ({ Components: [{ Name: component }] }) } as unknown as Docker
  return new WayToBuild({ engine, installation: 'here', fingerprint: (value) => `[${value.length}]` })
}

const dockerfile = 'FROM python:3.11-slim\nRUN --mount=type=bind,source=x,target=/x --mount=type=cache,target=/c true\n'

test("Docker is given a Dockerfile as it is, with its owner's name for caches, and its cache is used", async () => {
  const way = wayOf('Engine')
  const own = { text: dockerfile, buildArgs: { BUILDKIT_CACHE_MOUNT_NS: 'ann' }, isUncached: false }
  expect(await way.ofOwner(dockerfile, 'ann')).toEqual(own)
  expect(await way.looksAtMounts()).toBe(true)
})

test('Podman is given caches that nobody else can name, and none of its cache where files are mounted', async () => {
  const way = wayOf('Podman Engine')
  const own = await way.ofOwner(dockerfile, 'ann')
  expect(own).toMatchObject({ buildArgs: {}, isUncached: true })
  expect(own.text).toMatch(/--mount=type=cache,target=\/c,id=\[\d+\]/)
  expect(await way.looksAtMounts()).toBe(false)
})
