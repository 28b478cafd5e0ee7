/** A list of tokens -> what comes next: looked at, taken, demanded; with the fault where it is something else. */
import { didYouMean } from '../did-you-mean.ts';
import { invalid, notPortable, type SqlFaultError, type Token, tokenize } from './lexer.ts';

/** @source GoogleSQL, "Lexical structure and syntax", reserved keywords */
export const RESERVED = new Set(
  (
    'ALL AND ANY ARRAY AS ASC ASSERT_ROWS_MODIFIED AT BETWEEN BY CASE CAST COLLATE CONTAINS CREATE CROSS CUBE CURRENT DEFAULT ' +
    'DEFINE DESC DISTINCT ELSE END ENUM ESCAPE EXCEPT EXCLUDE EXISTS EXTRACT FALSE FETCH FOLLOWING FOR FROM FULL GROUP GROUPING ' +
    'GROUPS HASH HAVING IF IGNORE IN INNER INTERSECT INTERVAL INTO IS JOIN LATERAL LEFT LIKE LIMIT LOOKUP MERGE NATURAL NEW NO ' +
    'NOT NULL NULLS OF ON OR ORDER OUTER OVER PARTITION PRECEDING PROTO QUALIFY RANGE RECURSIVE RESPECT RIGHT ROLLUP ROWS SELECT ' +
    'SET SOME STRUCT TABLESAMPLE THEN TO TREAT TRUE UNBOUNDED UNION UNNEST USING WHEN WHERE WINDOW WITH WITHIN'
  ).split(' '),
);

export abstract class TokenCursor {
  protected readonly text: string;
  protected readonly tokens: readonly Token[];
  /** Index of the next token. */
  protected next = 0;

  /** @throws SqlFaultError */
  constructor(text: string) {
    this.text = text;
    this.tokens = tokenize(text);
  }

  protected peek(ahead = 0): Token {
    const token = this.tokens[Math.min(this.next + ahead, this.tokens.length - 1)];
    if (!token) throw new Error('the token list has no end mark');
    return token;
  }

  protected take(): Token {
    const token = this.peek();
    if (token.kind !== 'end') this.next++;
    return token;
  }

  protected isWord(word: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === 'word' && token.value === word;
  }

  protected isSymbol(symbol: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === 'symbol' && token.value === symbol;
  }

  /** Takes these words if they all come next. */
  protected acceptWords(...words: string[]): boolean {
    if (!words.every((word, index) => this.isWord(word, index))) return false;
    this.next += words.length;
    return true;
  }

  protected acceptSymbol(symbol: string): boolean {
    if (!this.isSymbol(symbol)) return false;
    this.next++;
    return true;
  }

  protected expectWord(word: string): void {
    if (!this.acceptWords(word)) throw this.unexpected(word);
  }

  protected expectSymbol(symbol: string, hint: string | null = null): void {
    if (!this.acceptSymbol(symbol)) throw this.unexpected(`“${symbol}”`, hint);
  }

  /** The bracket that was opened at `opening` must close here. */
  protected close(symbol: ')' | ']', opening: Token): void {
    if (this.acceptSymbol(symbol)) return;
    if (this.peek().kind === 'end') {
      throw invalid(this.text, opening.at, `This “${opening.text}” is never closed.`, `Add “${symbol}”.`);
    }
    throw this.unexpected(`“${symbol}”`);
  }

  protected unexpected(expected: string, hint: string | null = null): SqlFaultError {
    const token = this.peek();
    const found = token.kind === 'end' ? 'the text ends' : `“${token.text}” stands`;
    return invalid(this.text, token.at, `Expected ${expected} where ${found}.`, hint);
  }

  protected refuse(at: number, message: string, hint: string | null = null): SqlFaultError {
    return notPortable(this.text, at, message, hint);
  }

  /** Nothing may follow. */
  end(): void {
    const token = this.peek();
    if (token.kind === 'end') return;
    if (token.value === ')' || token.value === ']') {
      throw invalid(this.text, token.at, `This “${token.text}” closes nothing.`, 'Remove it, or open it before.');
    }
    if (token.value === 'EXCLUDE') throw this.refuse(token.at, 'EXCLUDE is not GoogleSQL.', 'Write * EXCEPT (column).');
    if (token.value === 'ILIKE')
      throw this.refuse(token.at, 'ILIKE is not GoogleSQL.', 'Write LOWER(text) LIKE pattern.');
    if (token.value === '<<' || token.value === '>>') throw this.refuse(token.at, 'Bit operations are not covered.');
    if (token.value === 'COLLATE') throw this.refuse(token.at, 'Collations differ between engines.');
    const before = this.tokens[this.next - 1];
    const hint = (before && this.misspeltKeyword(before)) ?? this.misspeltKeyword(token);
    throw invalid(this.text, token.at, `Unexpected “${token.text}”.`, hint);
  }

  protected misspeltKeyword(token: Token): string | null {
    const isMisspelt = token.kind === 'word' && token.value.length > 2;
    const meant = isMisspelt ? didYouMean(token.value, RESERVED) : null;
    return meant === null || meant === token.value ? null : `Did you mean ${meant}?`;
  }

  protected isName(ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === 'quoted' || (token.kind === 'word' && !RESERVED.has(token.value));
  }

  protected name(what: string): string {
    if (this.isName()) return this.nameText(this.take());
    const token = this.peek();
    const isReserved = token.kind === 'word';
    throw this.unexpected(
      what,
      isReserved ? `${token.value} is a reserved word; as a name it stands in backticks.` : null,
    );
  }

  /** After a dot any word is a name. */
  protected nameAfterDot(): string {
    const token = this.peek();
    if (token.kind !== 'word' && token.kind !== 'quoted') throw this.unexpected('a name after the dot');
    return this.nameText(this.take());
  }

  protected nameText(token: Token): string {
    return token.kind === 'quoted' ? token.value : token.text;
  }

  protected names(what: string): readonly string[] {
    const opening = this.peek();
    this.expectSymbol('(');
    const names = [this.name(what)];
    while (this.acceptSymbol(',')) names.push(this.name(what));
    this.close(')', opening);
    return names;
  }
}
