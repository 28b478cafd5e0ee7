/** Warnings of this process -> stderr, but for those of Google's libraries that an error of ours then says in full. */

/** What a library says on its way to finding no credentials, where it is asked for them outside of Google's machines. */
const SAID_BY_OUR_ERRORS = ['MetadataLookupWarning'];

/** To be called once, before anything can warn. */
export function quietLookups(): void {
  const printers = process.listeners('warning');
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (SAID_BY_OUR_ERRORS.includes(warning.name)) return;
    for (const print of printers) print.call(process, warning);
  });
}
