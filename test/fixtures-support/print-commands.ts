/** Preloaded before `assay`: its table of commands as JSON on stdout, in place of running one. */
import { Command } from 'commander';

export interface CommandRow {
  /** `spec validate`; empty for what stands before every command. */
  readonly name: string;
  readonly required: number;
  /** Null: any number. */
  readonly most: number | null;
  readonly options: readonly { readonly flags: readonly string[]; readonly takes: 'nothing' | 'one' | 'several' }[];
  readonly hasCommands: boolean;
}

Command.prototype.parseAsync = async function (this: Command) {
  process.stdout.write(JSON.stringify(rowsOf(this, '')));
  return this;
};

function rowsOf(command: Command, name: string): readonly CommandRow[] {
  const args = command.registeredArguments;
  const row: CommandRow = {
    name,
    required: args.filter((arg) => arg.required).length,
    most: args.some((arg) => arg.variadic) ? null : args.length,
    options: command.options.map((option) => ({
      flags: [option.short, option.long].flatMap((flag) => flag ?? []),
      takes: option.variadic ? 'several' : option.required || option.optional ? 'one' : 'nothing',
    })),
    hasCommands: command.commands.length > 0,
  };
  return [row, ...command.commands.flatMap((inner) => rowsOf(inner, `${name} ${inner.name()}`.trim()))];
}
