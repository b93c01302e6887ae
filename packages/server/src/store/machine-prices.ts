import type { PriceSince } from '../domain/usage-prices.ts'
import { number, text } from './rows.ts'
import { done, read, sql, write } from './sql.ts'
import type { Read, Write } from './store.ts'

/** All prices that ever were in force. */
export function machinePrices(): Read<readonly PriceSince[]> {
  return read(
    sql`select machine_type, since, per_second, gpus from machine_price order by machine_type, since`,
    (row) => ({
      machineType: text(row, 'machine_type'),
      since: number(row, 'since'),
      perSecond: number(row, 'per_second'),
      gpus: number(row, 'gpus'),
    }),
  )
}

/** Of two of one hour the last one counts. */
export function addPrices(prices: readonly PriceSince[]): Write<void> {
  return write(
    prices.map(
      ({ machineType, since, perSecond, gpus }) =>
        sql`insert into machine_price (machine_type, since, per_second, gpus)
            values (${machineType}, ${since}, ${perSecond}, ${gpus})
                on conflict (machine_type, since) do update set per_second = excluded.per_second, gpus = excluded.gpus`,
    ),
    done,
  )
}
