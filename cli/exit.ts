/** An exit code -> the end of the process, after what was written has left it. */

/** Streams may be pipes, whose writes are not done when they return. */
export function exitWith(code: number): void {
  process.exitCode = code;
  let open = 2;
  const done = (): void => {
    open -= 1;
    if (open === 0) process.exit(code);
  };
  process.stdout.write('', done);
  process.stderr.write('', done);
}
