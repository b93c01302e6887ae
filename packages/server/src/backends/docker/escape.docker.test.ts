import { escapeSuite } from './escape/suite.ts'

escapeSuite({ tasks: 100 })
