// Breaks a document, or the values of its variables, in a way that a rule of the specification is about. Now and then
// what comes out is still valid; graphql-js says so.
import { type GraphQLSchema, isCompositeType, isInputType, parse, print, visit } from 'graphql';
import type { Random } from './random.ts';
import type { Request } from './request.ts';

/** A part of a document, to be changed in place. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Part = { kind: string; [key: string]: any };

/** A document in pieces. */
class Pieces {
  readonly document: Part;
  readonly #parts: Part[] = [];

  constructor(readonly request: Request, readonly random: Random, readonly schema: GraphQLSchema) {
    this.document = JSON.parse(JSON.stringify(parse(request.query, { noLocation: true }))) as Part;
    visit(this.document as never, { enter: node => void this.#parts.push(node as unknown as Part) });
  }

  of(...kinds: string[]): Part[] {
    return this.#parts.filter(part => kinds.includes(part.kind));
  }

  one(...kinds: string[]): Part | undefined {
    return this.random.maybe(this.of(...kinds));
  }

  /** Something that has directives, sets of fields, arguments or the like. */
  having(list: string, ...kinds: string[]): Part | undefined {
    return this.random.maybe(this.of(...kinds).filter(part => part[list]?.length > 0));
  }

  operation(): Part {
    return this.of('OperationDefinition')[0] as Part;
  }
}

const name = (value: string): Part => ({ kind: 'Name', value });
const literal = (text: string): Part =>
  (parse(`{ a(b: ${text}) }`, { noLocation: true }) as Part)['definitions'][0].selectionSet.selections[0].arguments[0].value as Part;
const field = (text: string): Part => (parse(`{ ${text} }`, { noLocation: true }) as Part)['definitions'][0].selectionSet.selections[0] as Part;
const definition = (text: string): Part => (parse(text, { noLocation: true, allowLegacyFragmentVariables: false }) as Part)['definitions'][0] as Part;

const LITERALS = [
  'null', 'true', '1', '-1', '1.5', '1.0', '1e3', '2147483648', '-2147483649', '99999999999999999999', '"text"', '"1"', '"true"',
  '"""block"""', 'FAILED', 'NOTHING', 'ANNUAL', '[]', '[1]', '["x", null]', '[["x"]]', '{}', '{id: "x"}', '{status: FAILED}', '{nothing: 1}',
  '{file: null}', '{uploadId: "x"}', '{uploadId: "x", file: null}', '{uploadId: null}', '$nothing', '[$nothing]', '{field: STATUS}',
  '{field: STATUS, direction: ASC, more: 1}', '{field: "STATUS", direction: ASC}', '"2026-01-01T00:00:00Z"', '"yesterday"',
];
const JSONS: unknown[] = [null, true, 1, 1.5, 2 ** 31, '1', 'x', 'FAILED', 'NOTHING', [], [null], ['x'], {}, { id: 'x' }, { nothing: 1 }, { status: 'FAILED' }];
const TYPES = ['ID', 'ID!', 'String', 'Int', 'Int!', 'Float', 'Boolean', '[ID!]', '[ID!]!', '[ID]', 'Job', 'Nothing', 'Node', 'JobFilter', 'JobStatus', '[JobStatus!]', 'JobOrder', 'DateTime', 'Upload'];

type Break = (pieces: Pieces) => unknown;

const variable = (pieces: Pieces, text: string): void => {
  const operation = pieces.operation();
  const parsed = definition(`query A(${text}) { a }`)['variableDefinitions'][0];
  operation['variableDefinitions'] = [...(operation['variableDefinitions'] ?? []), parsed];
  operation['name'] ??= name('A');
};

/** Breaks, by what they do. */
const BREAKS: Record<string, Break> = {
  'unknown field': pieces => (pieces.one('Field')!['name'] = name('nothing')),
  'field of another type': pieces => {
    const other = pieces.random.one(Object.values(pieces.schema.getTypeMap()).filter(type => isCompositeType(type) && 'getFields' in type));
    pieces.one('Field')!['name'] = name(pieces.random.one(Object.keys((other as { getFields(): object }).getFields())));
  },
  'unknown argument': pieces => pieces.one('Field')!['arguments'].push({ kind: 'Argument', name: name('nothing'), value: literal('1') }),
  'argument of another field': pieces => pieces.one('Field')!['arguments'].push({ kind: 'Argument', name: name('first'), value: literal('1') }),
  'argument left out': pieces => pieces.having('arguments', 'Field', 'Directive')?.['arguments'].pop(),
  'argument twice': pieces => {
    const list = pieces.having('arguments', 'Field', 'Directive')?.['arguments'];
    list?.push(list[0]);
  },
  'another literal': pieces => {
    const argument = pieces.one('Argument', 'ObjectField');
    if (argument) argument['value'] = literal(pieces.random.one(LITERALS));
  },
  'another literal in a list': pieces => {
    const list = pieces.one('ListValue');
    if (list) list['values'].push(literal(pieces.random.one(LITERALS)));
  },
  'an argument with any literal': pieces =>
    pieces.one('Field')!['arguments'].push({
      kind: 'Argument',
      name: name(pieces.random.one(['first', 'id', 'ids', 'filter', 'orderBy', 'search', 'force', 'after'])),
      value: literal(pieces.random.one(LITERALS)),
    }),
  'another default': pieces => {
    const declared = pieces.one('VariableDefinition');
    const value = literal(pieces.random.one(LITERALS.filter(text => !text.includes('$'))));
    if (declared) declared['defaultValue'] = value;
  },
  'another type of a variable': pieces => {
    const declared = pieces.one('VariableDefinition');
    if (declared) declared['type'] = definition(`query A($a: ${pieces.random.one(TYPES)}) { a }`)['variableDefinitions'][0].type;
  },
  'a variable may be null': pieces => {
    const declared = pieces.random.maybe(pieces.of('VariableDefinition').filter(part => part['type'].kind === 'NonNullType'));
    if (declared) declared['type'] = declared['type'].type;
  },
  'a variable is not declared': pieces => pieces.operation()['variableDefinitions']?.pop(),
  'a variable is not used': pieces => variable(pieces, `$unused: ${pieces.random.one(['Int', 'ID', 'JobFilter'])}`),
  'a variable twice': pieces => {
    const list = pieces.operation()['variableDefinitions'];
    if (list?.length > 0) list.push(list[0]);
  },
  'a variable used in another place': pieces => {
    const [used, argument] = [pieces.one('Variable'), pieces.one('Argument', 'ObjectField')];
    if (used && argument) argument['value'] = { kind: 'Variable', name: used['name'] };
  },
  'an unknown fragment': pieces => pieces.one('SelectionSet')!['selections'].push(field('...Nothing')),
  'an unused fragment': pieces => pieces.document['definitions'].push(definition('fragment Unused on Job { id }')),
  'a fragment twice': pieces => {
    const fragment = pieces.one('FragmentDefinition');
    if (fragment) pieces.document['definitions'].push(fragment);
  },
  'a fragment on what it cannot be on': pieces => {
    const fragment = pieces.random.maybe(pieces.of('InlineFragment', 'FragmentDefinition').filter(part => part['typeCondition']));
    const all = Object.values(pieces.schema.getTypeMap()).filter(type => isInputType(type) || isCompositeType(type));
    const on = pieces.random.happens(0.2) ? 'Nothing' : pieces.random.one(all).name;
    if (fragment) fragment['typeCondition'].name = name(on);
  },
  'a fragment added on any type': pieces => {
    const type = pieces.random.one(Object.values(pieces.schema.getTypeMap()).filter(isCompositeType));
    pieces.one('SelectionSet')!['selections'].push(field(`... on ${type.name} { __typename }`));
  },
  'a fragment in itself': pieces => {
    const fragment = pieces.one('FragmentDefinition');
    fragment?.['selectionSet'].selections.push(field(`...${fragment['name'].value}`));
  },
  'fragments in each other': pieces => {
    const [a, b] = [pieces.one('FragmentDefinition'), pieces.one('FragmentDefinition')];
    a?.['selectionSet'].selections.push(field(`...${b?.['name'].value}`));
    b?.['selectionSet'].selections.push(field(`...${a?.['name'].value}`));
  },
  'fields of a leaf': pieces => {
    const leaf = pieces.random.maybe(pieces.of('Field').filter(part => !part['selectionSet']));
    if (leaf) leaf['selectionSet'] = { kind: 'SelectionSet', selections: [field('a')] };
  },
  'no fields of an object': pieces => {
    const object = pieces.random.maybe(pieces.of('Field').filter(part => part['selectionSet']));
    if (object) delete object['selectionSet'];
  },
  'two fields of one name': pieces => {
    const sets = pieces.of('SelectionSet').filter(part => part['selections'].filter((item: Part) => item.kind === 'Field').length > 1);
    const fields = pieces.random.maybe(sets)?.['selections'].filter((item: Part) => item.kind === 'Field') as Part[] | undefined;
    if (!fields) return;
    const [first, other] = [pieces.random.one(fields), pieces.random.one(fields)];
    other['alias'] = first['alias'] ?? first['name'];
  },
  'any two fields of one name': pieces => {
    for (const one of [pieces.one('Field')!, pieces.one('Field')!, pieces.one('Field')!]) one['alias'] = name('same');
  },
  'every field of one name': pieces => {
    for (const one of pieces.of('Field')) if (pieces.random.happens(0.4)) one['alias'] = name(pieces.random.one(['same', 'like']));
  },
  'an operation twice': pieces => {
    pieces.operation()['name'] ??= name('A');
    pieces.document['definitions'].push(definition('query A { a: __typename }'));
  },
  'an operation without a name beside another': pieces => pieces.document['definitions'].push(definition('{ a: __typename }')),
  'an operation that is not there': pieces => (pieces.request.operationName = 'Nothing'),
  'an operation that is not chosen': pieces => {
    pieces.document['definitions'].push(definition('query Other { a: __typename }'));
    pieces.operation()['name'] ??= name('A');
    delete pieces.request.operationName;
  },
  'an unknown directive': pieces => pieces.one('Field', 'InlineFragment', 'FragmentSpread', 'OperationDefinition')!['directives'].push(field('a @nothing')['directives'][0]),
  'a directive of the schema': pieces => pieces.one('Field', 'InlineFragment')!['directives'].push(field(`a ${pieces.random.one(['@deprecated', '@specifiedBy(url: "x")', '@oneOf'])}`)['directives'][0]),
  'a directive where it may not be': pieces => pieces.one('OperationDefinition', 'FragmentDefinition', 'VariableDefinition')!['directives'].push(field('a @skip(if: true)')['directives'][0]),
  'a directive twice': pieces => pieces.one('Field', 'FragmentSpread')!['directives'].push(field('a @skip(if: true)')['directives'][0], field('a @skip(if: false)')['directives'][0]),
  'a directive with another argument': pieces => pieces.one('Field', 'FragmentSpread', 'InlineFragment')!['directives'].push(field(`a @include${pieces.random.one(['', '(if: 1)', '(if: null)', '(if: "true")', '(if: $nothing)', '(unless: true)', '(if: true, more: 1)'])}`)['directives'][0]),
  'an input field twice': pieces => {
    const object = pieces.having('fields', 'ObjectValue');
    object?.['fields'].push(object['fields'][0]);
  },
  'an unknown input field': pieces => pieces.one('ObjectValue')?.['fields'].push({ kind: 'ObjectField', name: name('nothing'), value: literal('1') }),
  'an input field left out': pieces => pieces.having('fields', 'ObjectValue')?.['fields'].pop(),
  'an enum as a string': pieces => {
    const value = pieces.one('EnumValue');
    if (value) value.kind = 'StringValue';
  },
  'a string as an enum': pieces => {
    const value = pieces.random.maybe(pieces.of('StringValue').filter(part => /^[A-Za-z]+$/.test(part['value'] as string)));
    if (value) value.kind = 'EnumValue';
  },
  'another kind of operation': pieces => (pieces.operation()['operation'] = pieces.random.one(['query', 'mutation'])),
  'a definition of a type': pieces => pieces.document['definitions'].push(definition(pieces.random.one(['type X { a: Int }', 'extend type Job { a: Int }', 'scalar X', 'schema { query: Query }']))),
  'introspection where it is not': pieces => pieces.one('SelectionSet')!['selections'].push(field(pieces.random.one(['__schema { queryType { name } }', '__type(name: "Job") { name }', '__typename', '__nothing']))),
  'another value of a variable': pieces => {
    const chosen = pieces.random.maybe(Object.keys(pieces.request.variables));
    if (chosen) pieces.request.variables[chosen] = pieces.random.one(JSONS);
  },
  'no value of a variable': pieces => {
    const chosen = pieces.random.maybe(Object.keys(pieces.request.variables));
    if (chosen) delete pieces.request.variables[chosen];
  },
  'a value too many': pieces => (pieces.request.variables['more'] = 1),
  'another value in a place of any type': pieces => {
    const argument = pieces.one('Argument');
    if (!argument) return;
    variable(pieces, `$any: ${pieces.random.one(TYPES)}`);
    argument['value'] = { kind: 'Variable', name: name('any') };
    pieces.request.variables['any'] = pieces.random.one(JSONS);
  },
};

/** The names of all breaks. */
export const BREAK_NAMES: readonly string[] = [...Object.keys(BREAKS), 'a token left out', 'a token twice'];

/** A request with one thing broken; `undefined` where it has nothing of the kind. */
export function broken(what: string, request: Request, random: Random, schema: GraphQLSchema): Request | undefined {
  const copy: Request = { ...request, variables: structuredClone(request.variables) };
  const change = BREAKS[what];
  if (change) {
    const pieces = new Pieces(copy, random, schema);
    change(pieces);
    copy.query = print(pieces.document as never);
  } else {
    const tokens = [...copy.query.matchAll(/"""(?:[^"\\]|\\.)*"""|"(?:[^"\\]|\\.)*"|\.\.\.|[A-Za-z_]\w*|-?\d[\w.]*|[^\s,]/g)];
    const token = random.one(tokens);
    const again = what === 'a token twice' ? `${token[0]} ${token[0]} ` : '';
    copy.query = copy.query.slice(0, token.index) + again + copy.query.slice(token.index + token[0].length);
  }
  const same = copy.query === print(parse(request.query)) && JSON.stringify(copy) === JSON.stringify({ ...request, query: copy.query });
  return same ? undefined : copy;
}
