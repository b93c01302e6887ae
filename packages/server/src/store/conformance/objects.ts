import {
  addComfyWorkflow,
  changeComfyWorkflow,
  comfyWorkflow,
  comfyWorkflowsOfAccount,
  countComfyWorkflows,
  deleteComfyWorkflow,
} from '../comfy.ts'
import { describe, expect, test } from 'vitest'
import type { StoredObject } from '../../domain/object.ts'
import {
  addObject,
  completeObject,
  dropObject,
  droppedObjects,
  forgetObject,
  objectById,
  objectFilesUnder,
  partsOf,
  putPart,
  putWhole,
  setAcl,
} from '../objects.ts'
import type { Store } from '../store.ts'
import { deleteValue, dropExpiredValues, putValue, valueAt } from '../values.ts'

const fileOf = (digits: string) => digits.padEnd(40, '0')
const part = (number: number, digits: string, length = 1) => ({
  number,
  file: fileOf(digits),
  length,
  etag: `e${digits}`,
})

/** What every engine promises of uploads and of the key-value store. */
export function describeObjects(store: () => Store): void {
  async function begin(id: string, more: Partial<StoredObject> = {}): Promise<StoredObject> {
    const object = {
      id,
      accountId: 'account-1',
      name: 'a.txt',
      contentType: 'text/plain',
      version: 0,
      dropAt: 100,
      ...more,
    }
    await store().commit(addObject(object, 1))
    return object
  }
  const read = (id: string) => store().read(objectById(id))
  const filesOf = async (id: string) => (await store().read(partsOf(id))).map(({ file }) => file)

  describe('an upload', () => {
    test('comes back as it was begun', async () => {
      const acl = { default: 'hide', rules: [{ user: 'bob', decision: 'allow' }] } as const
      const begun = await begin('begun', { acl, lifetimeMs: 5 })
      expect(await read('begun')).toEqual({ ...begun, whole: undefined })
      expect(await read('nobody')).toBeUndefined()
    })

    test('takes a part in place of an earlier one of its number, and says what is left over', async () => {
      await begin('parts')
      expect(await store().commit(putPart('parts', part(1, 'aa01')))).toEqual({ taken: true, left: [] })
      expect(await store().commit(putPart('parts', part(1, 'aa02')))).toEqual({ taken: true, left: [fileOf('aa01')] })
      expect(await filesOf('parts')).toEqual([fileOf('aa02')])
      expect(await read('parts')).toMatchObject({ version: 2 })
    })

    test('is put together once, from the parts that were looked at', async () => {
      await begin('complete')
      await store().commit(putPart('complete', part(1, 'bb01')))
      await store().commit(putPart('complete', part(2, 'bb02')))
      const completion = { length: 1, etag: 'all', dropped: [part(2, 'bb02')], version: 2, dropAt: undefined }
      await store().commit(putPart('complete', part(1, 'bb03')))
      expect(await store().commit(completeObject('complete', completion))).toBe(false)
      expect(await filesOf('complete')).toHaveLength(2)
      expect(await store().commit(completeObject('complete', { ...completion, version: 3 }))).toBe(true)
      expect(await filesOf('complete')).toEqual([fileOf('bb03')])
      expect(await store().commit(completeObject('complete', { ...completion, version: 3 }))).toBe(false)
      expect(await store().commit(putPart('complete', part(1, 'bb04')))).toEqual({
        taken: false,
        left: [fileOf('bb04')],
      })
      expect(await filesOf('complete')).toEqual([fileOf('bb03')])
      expect(await read('complete')).toMatchObject({ whole: { length: 1, etag: 'all' }, dropAt: undefined })
    })

    test('is whole after one put, and takes no other', async () => {
      await begin('whole')
      await store().commit(putPart('whole', part(7, 'cc01')))
      expect(await store().commit(putWhole('whole', part(1, 'cc02', 5), 900))).toEqual({
        taken: true,
        left: [fileOf('cc01')],
      })
      expect(await store().commit(putWhole('whole', part(1, 'cc03'), 900))).toEqual({
        taken: false,
        left: [fileOf('cc03')],
      })
      expect(await read('whole')).toMatchObject({ whole: { length: 5, etag: 'ecc02' }, dropAt: 900 })
      expect(await store().read(objectFilesUnder('cc'))).toEqual([fileOf('cc02')])
    })

    test('goes when its time has come, not when it became whole meanwhile', async () => {
      await begin('over', { dropAt: 10 })
      await store().commit(putPart('over', part(1, 'dd01')))
      await begin('saved', { dropAt: 11 })
      expect(await store().read(droppedObjects(11, 1))).toEqual(['over'])
      expect(await store().read(droppedObjects(11, 9))).toEqual(['over', 'saved'])
      await store().commit(putWhole('saved', part(1, 'dd02'), undefined))
      expect(await store().commit(dropObject('over', 11))).toEqual([fileOf('dd01')])
      expect(await store().commit(dropObject('saved', 11))).toEqual([])
      expect([await read('over'), await filesOf('saved')]).toEqual([undefined, [fileOf('dd02')]])
    })

    test('is forgotten only while nothing has come for it', async () => {
      await begin('empty')
      await begin('begun-well')
      await store().commit(putPart('begun-well', part(1, 'ee01')))
      for (const id of ['empty', 'begun-well']) await store().commit(forgetObject(id))
      expect([await read('empty'), (await read('begun-well'))?.id]).toEqual([undefined, 'begun-well'])
    })

    test('may be opened to others', async () => {
      await begin('acl')
      const acl = { default: 'forbid', rules: [] } as const
      expect(await store().commit(setAcl('acl', acl))).toBe(true)
      expect(await store().commit(setAcl('nobody', acl))).toBe(false)
      expect((await read('acl'))?.acl).toEqual(acl)
    })
  })

  test('a value of the key-value store: the last one wins, until its time has come', async () => {
    const place = { accountId: 'account-1', store: 'settings', name: 'one' }
    const at = (now: number) => store().read(valueAt(place, now))
    await store().commit(putValue(place, 'first', 10))
    await store().commit(putValue(place, 'second', 20))
    await store().commit(putValue({ ...place, name: 'two' }, 'other', 15))
    expect([await at(19), await at(20)]).toEqual(['second', undefined])
    expect(await store().read(valueAt({ ...place, store: 'others' }, 1))).toBeUndefined()
    expect([await store().commit(dropExpiredValues(20, 1)), await store().commit(dropExpiredValues(20, 5))]).toEqual([
      1, 1,
    ])
    await store().commit(putValue(place, 'third', 30))
    await store().commit(deleteValue(place))
    expect(await at(1)).toBeUndefined()
  })

  test('a ComfyUI graph: one for each name, changed in parts, listed newest first', async () => {
    const graph = {
      accountId: 'account-1',
      name: 'one',
      title: 'One',
      workflow: { prompt: { 3: 'x' } },
      isPublic: false,
    }
    const added = (name: string, createdAt: number) => store().commit(addComfyWorkflow({ ...graph, name, createdAt }))
    expect([await added('one', 1), await added('one', 2), await added('two', 2)]).toEqual([true, false, true])
    expect(await store().commit(changeComfyWorkflow(graph, { isPublic: true }))).toBe(true)
    expect(await store().commit(changeComfyWorkflow({ ...graph, name: 'none' }, { isPublic: true }))).toBe(false)
    expect(await store().read(comfyWorkflow('account-1', 'one'))).toEqual({ ...graph, isPublic: true, createdAt: 1 })
    const listed = await store().read(comfyWorkflowsOfAccount('account-1', { offset: 0, limit: 9 }))
    expect(listed.map(({ name }) => name)).toEqual(['two', 'one'])
    const deleted = () => store().commit(deleteComfyWorkflow('account-1', 'one'))
    expect([await deleted(), await deleted(), await store().read(countComfyWorkflows('account-1'))]).toEqual([
      true,
      false,
      1,
    ])
  })
}
