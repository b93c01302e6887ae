import { openTestStore } from '../../testing/store.ts'
import { describeStore } from '../conformance/store.ts'

describeStore('SQLite', () => openTestStore())
