/** A file -> an operating-system lock on it, which ends with the process that holds it, however that ends. */
import Database from 'libsql';

export interface HeldFile {
  release(): void;
}

/** Takes the lock, or returns null at once where another process (or this one) holds it. SQLite does the locking. */
export function holdExclusively(path: string): HeldFile | null {
  const database = new Database(path);
  try {
    // In memory: a lock needs no journal, and a killed holder shall leave none behind.
    database.pragma('journal_mode = MEMORY');
    database.exec('BEGIN EXCLUSIVE');
  } catch (thrown) {
    database.close();
    if ((thrown as { code?: string }).code === 'SQLITE_BUSY') return null;
    throw thrown;
  }
  return {
    release: () => {
      // Closing alone leaves the lock until the collector has freed the connection's statements.
      database.exec('ROLLBACK');
      database.close();
    },
  };
}
