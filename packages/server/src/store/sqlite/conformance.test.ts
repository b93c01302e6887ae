import { openTestStore } from '../../testing/store.ts'
import { describeStore } from '../conformance.ts'

describeStore('SQLite', () => openTestStore())
