// The same schema executed by graphql-js. Its values are the server's own, each fetched by a request of one field
// without aliases, fragments or directives: what is compared is everything that documents do beyond that.
import {
  type DocumentNode,
  type ExecutionResult,
  GraphQLError,
  type GraphQLFieldResolver,
  type GraphQLNamedOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  type GraphQLScalarType,
  Kind,
  OperationTypeNode,
  buildSchema,
  execute,
  getNamedType,
  getOperationAST,
  getVariableValues,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  isScalarType,
  parse,
  valueFromASTUntyped,
  validate,
  __Type,
} from 'graphql';
import type { Request } from './request.ts';

/** Sends a request to the server, and gives what came back. */
export type Ask = (request: Request) => Promise<ExecutionResult>;

/** What graphql-js makes of a request. */
export type Judged = { refused: string } | { data: unknown; errors: readonly GraphQLError[] };

type Entity = { __typename: string; id: string };
type Values = Record<string, unknown>;

/** The contract's own scalars take what their descriptions say. */
const SCALARS: Record<string, (value: unknown) => boolean> = {
  DateTime: value =>
    typeof value === 'string' && /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value)),
  Decimal: value => typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value),
  ByteCount: value => Number.isSafeInteger(value) && Number(value) >= 0,
  Duration: value => value === 'never' || (typeof value === 'string' && /^\d+[smhd]$/.test(value) && positive(value.slice(0, -1))),
  // Judged where it is used: a part of the request may be missing.
  Upload: () => true,
};

/** What fits 32 bits, and is more than nothing. */
const positive = (digits: string): boolean => BigInt(digits) > 0n && BigInt(digits) < 2n ** 32n;

// Of an interface that implements none, async-graphql 7.0.19 says null where the specification has an empty list; graphql-js's own
// readers of introspection take both (graphql 16, buildClientSchema).
const { interfaces } = __Type.getFields();
const resolve = interfaces?.resolve;
if (interfaces && resolve) {
  interfaces.resolve = (type, ...rest) => (isInterfaceType(type) && type.getInterfaces().length === 0 ? null : resolve(type, ...rest));
}

/** The schema, with the contract's scalars. */
export function referenceSchema(sdl: string): GraphQLSchema {
  const schema = buildSchema(sdl);
  for (const [name, takes] of Object.entries(SCALARS)) {
    const scalar = schema.getType(name);
    if (isScalarType(scalar)) judge(scalar, takes);
  }
  return schema;
}

function judge(scalar: GraphQLScalarType, takes: (value: unknown) => boolean): void {
  const checked = (value: unknown): unknown => {
    if (!takes(value)) throw new GraphQLError(`${scalar.name} cannot be ${JSON.stringify(value)}`);
    return value;
  };
  scalar.parseValue = checked;
  scalar.parseLiteral = (node, variables) => {
    if (node.kind === Kind.ENUM) throw new GraphQLError(`${scalar.name} cannot be an enum`);
    return checked(valueFromASTUntyped(node, variables));
  };
}

/** Judges and executes requests by graphql-js. */
export class Reference {
  readonly #answers = new Map<string, Promise<unknown>>();

  constructor(
    readonly schema: GraphQLSchema,
    readonly ask: Ask,
  ) {}

  async judge({ query, variables, operationName }: Request): Promise<Judged> {
    // Mutations of before have left entries in the audit log.
    this.#answers.clear();
    let document: DocumentNode;
    try {
      document = parse(query);
    } catch (error) {
      return { refused: `${error}` };
    }
    const broken = validate(this.schema, document);
    if (broken.length > 0) return { refused: broken.map(error => error.message).join('; ') };
    const chosen = getOperationAST(document, operationName);
    if (!chosen) return { refused: 'no such operation, or several' };
    if (chosen.operation === OperationTypeNode.SUBSCRIPTION) {
      const { errors } = getVariableValues(this.schema, chosen.variableDefinitions ?? [], variables);
      return errors ? { refused: `${errors}` } : { data: undefined, errors: [] };
    }
    const result = await execute({
      schema: this.schema,
      document,
      variableValues: variables,
      operationName: operationName ?? null,
      fieldResolver: this.#resolve,
    });
    if (!('data' in result)) return { refused: (result.errors ?? []).map(error => error.message).join('; ') };
    return { data: result.data, errors: result.errors ?? [] };
  }

  #resolve: GraphQLFieldResolver<unknown, unknown> = async (source, args, _context, info) => {
    if (['Query', 'Mutation'].includes(info.parentType.name)) return this.#root(info, args);
    const field = info.parentType.getFields()[info.fieldName];
    if (field && field.args.length > 0) return this.#inside(source as Entity, info, args);
    const values = isEntity(this.schema, info.parentType) ? await this.#entity(source as Entity) : (source as Values);
    return values[info.fieldName];
  };

  #root(info: GraphQLResolveInfo, args: Values): Promise<unknown> {
    const { variables, given } = this.#arguments(info, args);
    const query = `${info.operation.operation}${variables} { ${info.fieldName}${given}${this.#all(getNamedType(info.returnType))} }`;
    return this.#fetch({ query, variables: args }, [info.fieldName], info.operation.operation === 'query');
  }

  #inside(source: Entity, info: GraphQLResolveInfo, args: Values): Promise<unknown> {
    const { variables, given } = this.#arguments(info, args, '$nodeId: ID!');
    const all = this.#all(getNamedType(info.returnType));
    const query = `query${variables} { node(id: $nodeId) { ... on ${source.__typename} { ${info.fieldName}${given}${all} } } }`;
    return this.#fetch({ query, variables: { ...args, nodeId: source.id } }, ['node', info.fieldName], true);
  }

  async #entity({ __typename, id }: Entity): Promise<Values> {
    const type = this.schema.getType(__typename);
    const query = `query($nodeId: ID!) { node(id: $nodeId) { ... on ${__typename} ${this.#fields(type as GraphQLNamedOutputType)} } }`;
    return (await this.#fetch({ query, variables: { nodeId: id } }, ['node'], true)) as Values;
  }

  #arguments(info: GraphQLResolveInfo, args: Values, ...more: string[]): { variables: string; given: string } {
    const field = info.parentType.getFields()[info.fieldName];
    const used = (field?.args ?? []).filter(argument => argument.name in args);
    const variables = [...more, ...used.map(argument => `$${argument.name}: ${argument.type}`)];
    const given = used.map(argument => `${argument.name}: $${argument.name}`);
    return {
      variables: variables.length > 0 ? `(${variables.join(', ')})` : '',
      given: given.length > 0 ? `(${given.join(', ')})` : '',
    };
  }

  /** Everything of a type but what has an id of its own, of which the id is enough to find the rest. */
  #all(type: GraphQLNamedOutputType): string {
    if (!isCompositeType(type)) return '';
    return isEntity(this.schema, type) ? ' { __typename id }' : ` ${this.#fields(type)}`;
  }

  #fields(type: GraphQLNamedOutputType): string {
    if (!isObjectType(type) && !isInterfaceType(type)) throw new Error(`${type.name} has no fields`);
    const fields = Object.values(type.getFields()).filter(field => field.args.length === 0);
    return `{ ${fields.map(field => `${field.name}${this.#all(getNamedType(field.type))}`).join(' ')} }`;
  }

  /** One field of an answer, asked for once for a document. */
  async #fetch(request: Request, path: readonly string[], again: boolean): Promise<unknown> {
    const key = JSON.stringify(request);
    const known = again ? this.#answers.get(key) : undefined;
    const answer = known ?? this.#request(request, path);
    this.#answers.set(key, answer);
    return await answer;
  }

  async #request(request: Request, path: readonly string[]): Promise<unknown> {
    const { data, errors } = await this.ask(request);
    const [error] = errors ?? [];
    if (error && error.path?.join() !== path.join()) throw new Error(`${request.query}: ${JSON.stringify(error)}`);
    if (error) throw new GraphQLError(error.message);
    let value: unknown = data;
    for (const step of path) value = (value as Values | null)?.[step];
    return value;
  }
}

function isEntity(schema: GraphQLSchema, type: GraphQLNamedOutputType): boolean {
  const node = schema.getType('Node');
  if (type === node) return true;
  // An interface whose objects all have an id, found by `node` as they are.
  return isInterfaceType(type)
    ? schema.getPossibleTypes(type).every(object => isEntity(schema, object))
    : isObjectType(type) && type.getInterfaces().some(other => other === node);
}
