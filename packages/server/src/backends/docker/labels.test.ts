import { expect, test } from 'vitest'
import { filterFor, labelsOf, labelsOfInstallation, runnerIn } from './labels.ts'

const spec = { id: 'r', appId: 'a', revisionId: 'v', accountId: 'o', command: [], variables: {}, mounts: [] }

test('a container is found by its installation and its runner, and tells people what it serves', () => {
  const labels = labelsOf(spec, 'here')
  expect(labels).toMatchObject({ ...labelsOfInstallation('here'), 'carrick.app': 'a', 'carrick.account': 'o' })
  expect(runnerIn(labels)).toBe('r')
  const told = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
  expect(told).toEqual(expect.arrayContaining(filterFor('here', 'r')))
})

test('what is no runner has no id of one', () => {
  expect(runnerIn(labelsOfInstallation('here'))).toBeUndefined()
  expect(runnerIn(undefined)).toBeUndefined()
})
