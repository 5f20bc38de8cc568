// Documents that walk the schema at random. Most are valid; graphql-js says which.
import {
  type GraphQLArgument,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isIntrospectionType,
  isListType,
  isNonNullType,
  isObjectType,
  isSpecifiedScalarType,
} from 'graphql';
import type { Random } from './random.ts';
import type { Request } from './request.ts';

/** What arguments may name: values that the server has, and some that it has not. */
export interface Pool {
  readonly ids: readonly string[];
  readonly jobs: readonly string[];
  readonly cursors: readonly string[];
}

/** An argument's value: as it is written in a document, and as JSON. */
interface Value {
  readonly text: string;
  readonly json: unknown;
}

/** How deep fields stand in each other at most; the server allows 15. */
const DEEPEST = 7;
/** Fields of a document at most. */
const MOST_FIELDS = 70;

/** Fields of the root of which something new comes each time, so that asked twice they differ. */
const NEW_EACH_TIME = ['retentionPreview', 'runRetention'];

const TEXTS = ['', 'a', 'sample', 'ä "quoted" \\ 🙂', 'KILO', '2024', 'Q1', 'two\nlines\tand a tab'];
const TIMES = ['2026-03-05T09:47:23.806911Z', '2019-01-01T00:00:00+05:30', '2040-12-31T23:59:59Z'];

/** A request for an operation of this kind. */
export function request(random: Random, schema: GraphQLSchema, pool: Pool, kind: 'query' | 'mutation' | 'subscription'): Request {
  return new Walk(random, schema, pool, kind).request();
}

class Walk {
  readonly #variables = new Map<string, { type: string; text: string; json: unknown; given: boolean }>();
  readonly #fragments: { name: string; on: string; text: string }[] = [];
  #fields = 0;
  #names = 0;

  constructor(
    readonly random: Random,
    readonly schema: GraphQLSchema,
    readonly pool: Pool,
    readonly kind: 'query' | 'mutation' | 'subscription',
  ) {}

  request(): Request {
    const types = { query: this.schema.getQueryType(), mutation: this.schema.getMutationType(), subscription: this.schema.getSubscriptionType() };
    const root = types[this.kind];
    if (!root) throw new Error(`no ${this.kind}`);
    const set = this.kind === 'subscription' ? `{ ${this.#root(root)} }` : this.#set(root, 0);
    const definitions = [...this.#variables].map(([name, { type, text }]) => `$${name}: ${type}${text}`);
    const declared = definitions.length > 0 ? `(${definitions.join(this.random.one([', ', ' ', '\n']))})` : '';
    const named = definitions.length > 0 || this.random.happens(0.5) || this.kind !== 'query';
    const operation = `${named ? `${this.kind} A${declared} ` : ''}${set}`;
    const fragments = this.#fragments.map(({ name, on, text }) => `fragment ${name} on ${on} ${text}`);
    const parts = [operation, ...fragments];
    const request: Request = { query: '', variables: {} };
    if (named && this.random.happens(0.1)) {
      parts.push('query B { other: __typename }');
      request.operationName = 'A';
    }
    request.query = (this.random.happens(0.5) ? parts : parts.reverse()).join('\n');
    for (const [name, { json, given }] of this.#variables) if (given) request.variables[name] = json;
    return request;
  }

  /** A subscription has one field, of a job that is there: its first event comes at once. */
  #root(type: GraphQLCompositeType): string {
    const field = isObjectType(type) ? Object.values(type.getFields())[0] : undefined;
    if (!field) throw new Error('no field to subscribe to');
    const id = this.random.one(this.pool.jobs);
    const named = getNamedType(field.type);
    return `${this.#alias()}${field.name}(jobId: "${id}") ${isCompositeType(named) ? this.#set(named, 1) : ''}`;
  }

  #alias(): string {
    return this.random.happens(0.3) ? `${this.#name('a')}: ` : '';
  }

  #name(prefix: string): string {
    this.#names += 1;
    return `${prefix}${this.#names}`;
  }

  #set(type: GraphQLCompositeType, depth: number): string {
    const items = [];
    const wanted = 1 + this.random.below(depth === 0 ? 4 : 5);
    for (let item = 0; item < wanted && this.#fields < MOST_FIELDS; item += 1) items.push(this.#selection(type, depth));
    if (items.length === 0) items.push('__typename');
    // The same again: it must be merged.
    if (this.random.happens(0.08)) items.push(this.random.one(items));
    return `{ ${items.join(this.random.one([' ', ', ', '\n']))} }`;
  }

  #selection(type: GraphQLCompositeType, depth: number): string {
    const chance = this.random.next();
    if (chance < 0.1) return this.#inline(type, depth);
    if (chance < 0.18) return this.#spread(type, depth);
    if (isAbstractType(type) && chance < 0.6) {
      const on = this.random.one(this.schema.getPossibleTypes(type));
      return `... on ${on.name}${this.#directives()} ${this.#set(on, depth)}`;
    }
    return this.#field(type, depth);
  }

  #inline(type: GraphQLCompositeType, depth: number): string {
    const on = this.random.happens(0.3) ? undefined : this.#fitting(type);
    return `...${on ? ` on ${on.name}` : ''}${this.#directives()} ${this.#set(on ?? type, depth)}`;
  }

  /** A type on which a fragment may stand here. */
  #fitting(type: GraphQLCompositeType): GraphQLCompositeType {
    const possible = new Set(isAbstractType(type) ? this.schema.getPossibleTypes(type) : [type]);
    const fitting = Object.values(this.schema.getTypeMap()).filter((other): other is GraphQLCompositeType => {
      if (!isCompositeType(other) || other.name.startsWith('__')) return false;
      const others = isAbstractType(other) ? this.schema.getPossibleTypes(other) : [other];
      return others.some(object => possible.has(object));
    });
    return this.random.maybe(fitting) ?? type;
  }

  #spread(type: GraphQLCompositeType, depth: number): string {
    const known = this.#fragments.filter(fragment => fragment.on === type.name);
    const again = this.random.happens(0.4) ? this.random.maybe(known) : undefined;
    if (again) return `...${again.name}${this.#directives()}`;
    const on = this.#fitting(type);
    const text = this.#set(on, depth);
    const name = this.#name('F');
    this.#fragments.push({ name, on: on.name, text });
    return `...${name}${this.#directives()}`;
  }

  #field(type: GraphQLCompositeType, depth: number): string {
    this.#fields += 1;
    if (this.random.happens(0.06) || !('getFields' in type)) return `${this.#alias()}__typename`;
    const introspected = depth === 0 && this.kind === 'query' && this.random.happens(0.05);
    if (introspected) return this.#introspection();
    const all = Object.values(type.getFields()) as GraphQLField<unknown, unknown>[];
    const fields = all.filter(field => depth > 0 || !NEW_EACH_TIME.includes(field.name));
    const leaf = fields.filter(field => !isCompositeType(getNamedType(field.type)));
    const deep = depth >= DEEPEST || (depth > 0 && this.random.happens(0.35));
    const field = this.random.maybe(deep ? leaf : fields);
    if (!field) return '__typename';
    const named = getNamedType(field.type);
    const given = this.#arguments(field);
    // Another field of this name may have other arguments.
    const alias = given !== '' && this.random.happens(0.9) ? `${this.#name('a')}: ` : this.#alias();
    const set = isCompositeType(named) ? ` ${this.#set(named, depth + 1)}` : '';
    return `${alias}${field.name}${given}${this.#directives()}${set}`;
  }

  #introspection(): string {
    // The descriptions of built-in scalars are each program's own.
    const types = Object.values(this.schema.getTypeMap()).filter(type => !isIntrospectionType(type) && !isSpecifiedScalarType(type));
    const type = this.random.one(types).name;
    const name = this.random.happens(0.5) ? `"${type}"` : `$${this.#declare('String!', '', type, true)}`;
    const flag = this.random.one(['', ' = true']);
    const all = this.random.happens(0.5)
      ? ''
      : `(includeDeprecated: $${this.#declare('Boolean', flag, this.random.one([false, null]), this.random.happens(0.5))})`;
    return `${this.#name('a')}: __type(name: ${name}) { __typename kind name description${this.#directives()}
      fields${all} { name description type { kind name ofType { kind name ofType { kind name } } } args${all} { name defaultValue } isDeprecated }
      enumValues { name isDeprecated } inputFields { name type { name kind } defaultValue } interfaces { name } }`;
  }

  #directives(): string {
    if (!this.random.happens(0.09)) return '';
    const name = this.random.one(['skip', 'include']);
    const flag = this.random.happens(0.5);
    if (this.random.happens(0.5)) return ` @${name}(if: ${flag})`;
    const way = this.random.below(3);
    if (way === 0) return ` @${name}(if: $${this.#declare('Boolean!', '', flag, true)})`;
    // With a default, and with or without a value.
    return ` @${name}(if: $${this.#declare(this.random.one(['Boolean', 'Boolean!']), ` = ${flag}`, !flag, way === 1)})`;
  }

  #declare(type: string, text: string, json: unknown, given: boolean): string {
    const name = this.#name('v');
    this.#variables.set(name, { type, text, json, given });
    return name;
  }

  #arguments(field: GraphQLField<unknown, unknown>): string {
    const parts: string[] = [];
    const pages = field.args.some(argument => argument.name === 'first');
    // Pages inside pages stay small, or they cost too much; both sizes at once are an error now and then.
    const size = pages && this.random.happens(0.9) ? this.random.one(['first', 'first', 'first', 'last']) : undefined;
    for (const argument of field.args) {
      const paging = argument.name === 'first' || argument.name === 'last';
      const wanted = paging ? argument.name === size || this.random.happens(0.02) : isNonNullType(argument.type) && argument.defaultValue === undefined;
      if (wanted || (!paging && this.random.happens(0.3))) parts.push(`${argument.name}: ${this.#argument(argument)}`);
    }
    return parts.length > 0 ? `(${parts.join(', ')})` : '';
  }

  #argument(argument: GraphQLArgument): string {
    const value = this.#value(argument.name, argument.type);
    if (!this.random.happens(0.35)) return value.text;
    const type = argument.type;
    const nullable = getNullableType(type);
    const way = this.random.below(4);
    const again = [...this.#variables].filter(([, known]) => known.type === `${type}`);
    const reused = this.random.happens(0.3) ? this.random.maybe(again) : undefined;
    if (reused) return `$${reused[0]}`;
    const isNull = value.json === null;
    if (way === 0 && !isNull) return `$${this.#declare(`${nullable}!`, '', value.json, true)}`;
    if (way === 1 && !isNull) return `$${this.#declare(`${nullable}`, ` = ${value.text}`, this.#value(argument.name, type).json, this.random.happens(0.4))}`;
    if (way === 2 && !isNonNullType(type)) return `$${this.#declare(`${type}`, '', value.json, this.random.happens(0.6))}`;
    return `$${this.#declare(`${type}`, '', value.json, true)}`;
  }

  #value(name: string, type: GraphQLInputType): Value {
    if (isNonNullType(type)) return this.#value(name, type.ofType as GraphQLInputType);
    return this.#present(name, type);
  }

  #nullable(name: string, type: GraphQLInputType): Value {
    return !isNonNullType(type) && this.random.happens(0.1) ? { text: 'null', json: null } : this.#value(name, type);
  }

  #present(name: string, type: GraphQLInputType): Value {
    if (isListType(type)) {
      const item = type.ofType as GraphQLInputType;
      // One item may stand for a list of it.
      if (this.random.happens(0.15)) return this.#value(name, item);
      const items = Array.from({ length: this.random.below(4) }, () => this.#nullable(name, item));
      return { text: `[${items.map(item => item.text).join(', ')}]`, json: items.map(item => item.json) };
    }
    if (isEnumType(type)) {
      const value = this.random.one(type.getValues()).name;
      return { text: value, json: value };
    }
    if (isInputObjectType(type)) {
      let fields = Object.values(type.getFields());
      if (type.isOneOf) fields = fields.filter(field => field.name !== 'file');
      else fields = fields.filter(field => isNonNullType(field.type) || this.random.happens(0.25));
      const given = fields.map(field => [field.name, this.#nullable(field.name, field.type)] as const);
      return {
        text: `{${given.map(([field, value]) => `${field}: ${value.text}`).join(', ')}}`,
        json: Object.fromEntries(given.map(([field, value]) => [field, value.json])),
      };
    }
    return this.#scalar(name, getNamedType(type).name);
  }

  #scalar(name: string, type: string): Value {
    const json = this.#json(name, type);
    if (typeof json === 'string' && this.random.happens(0.1) && !/["\\\n]/.test(json)) return { text: `"""${json}"""`, json };
    return { text: JSON.stringify(json), json };
  }

  #json(name: string, type: string): unknown {
    switch (type) {
      case 'Int':
        if (name === 'first' || name === 'last') return this.random.happens(0.04) ? this.random.one([101, -1, 2 ** 31 - 1]) : this.random.below(4);
        return this.random.one([0, 1, 2, 40]);
      case 'Boolean':
        return this.random.happens(0.5);
      case 'Float':
        return this.random.one([0, 1.5]);
      case 'ID':
        if (this.kind === 'mutation') return this.random.one(['nothing', '01a200e9-0000-7000-8000-000000000000', 7]);
        return this.random.happens(0.1) ? this.random.one(['nothing', 7, '01a200e9-0000-7000-8000-000000000000']) : this.random.one(this.pool.ids);
      case 'Duration':
        // Longer ago than any job of the server has ended.
        return this.random.happens(0.1) ? this.random.one(['0d', '7', '7w', 7]) : this.random.one(['never', '7d', '12h', '90000s']);
      case 'DateTime':
        return this.random.one(TIMES);
      default:
        if (name === 'after' || name === 'before') return this.random.happens(0.1) ? 'nowhere' : this.random.one(this.pool.cursors);
        return this.random.one(TEXTS);
    }
  }
}
