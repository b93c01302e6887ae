import { escapeSuite } from './suite.ts'

escapeSuite({ tasks: 100 })
