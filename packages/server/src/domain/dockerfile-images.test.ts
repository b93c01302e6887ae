import { expect, test } from 'vitest'
import { imagesOfDockerfile } from './dockerfile-images.ts'

const python = 'docker.io/library/python:3.11-slim'
const used = (text: string, args: Record<string, string> = {}, whole = python) =>
  imagesOfDockerfile(text, args).some((names) => names(whole))

test.each<[string, string, Record<string, string>?]>([
  ['by its short name', 'FROM python:3.11-slim\nRUN true\n'],
  [
    'by its whole name, for a platform, as a stage',
    'from --platform=linux/amd64 docker.io/library/python:3.11-slim AS a',
  ],
  ['on a line that goes on', 'FROM \\\n  python:3.11-slim\n'],
  ['in a later stage', 'FROM debian\nFROM python:3.11-slim'],
  ['as what is copied from', 'FROM debian\nCOPY --from=python:3.11-slim /a /a'],
  ['as what is mounted', 'FROM debian\nRUN --mount=type=bind,from=python:3.11-slim,target=/x true'],
  ['by a variable with a default', 'ARG BASE="python:3.11-slim"\nFROM ${BASE}'],
  ['by a variable of a variable', 'ARG V=3.11\nARG BASE=python:$V-slim\nFROM $BASE'],
  ['by a build argument', 'ARG V\nFROM python:${V}-slim', { V: '3.11' }],
  ['by a variable whose value is not known', 'FROM python:${V:-3.12}-slim'],
  ['by a variable that is set twice', 'ARG V=3.11\nFROM python:${V}-slim\nARG V=3.12'],
])('an image is used that a Dockerfile names %s', (_, text, args) => {
  expect(used(text, args)).toBe(true)
})

test.each<[string, string, Record<string, string>?]>([
  ['another tag', 'FROM python:3.12-slim'],
  ['another registry', 'FROM ghcr.io/library/python:3.11-slim'],
  ['a stage', 'FROM debian AS python\nFROM python'],
  ['a comment, a command', 'FROM debian\n# python:3.11-slim\nRUN echo python:3.11-slim'],
  ['another variable', 'FROM node:${V}'],
  ['another build argument', 'FROM python:${V}', { V: '3.12' }],
])('no image is used by %s', (_, text, args) => {
  expect(used(text, args)).toBe(false)
})

test('a name of nothing but unknown variables is looked at once, however many they are', () => {
  expect(used(`FROM ${'$V'.repeat(5_000)}`)).toBe(true)
  expect(used(`FROM ${'$V'.repeat(5_000)}!`)).toBe(false)
})

test('values that name values, a thousand times each, grow no further than a name may be', () => {
  const grows = ['A', 'B', 'C', 'D', 'E'].map((name, at) => `ARG ${name}=${`$${'BCDEF'[at]}`.repeat(400)}`)
  expect(used(`${grows.join('\n')}\nFROM $A`)).toBe(true)
  expect(used(`${grows.join('\n')}\nFROM $A!`)).toBe(false)
})
