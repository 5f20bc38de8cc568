// Relay's operations over every connection of the schema, forwards and backwards.
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
} from 'graphql';

/** A field that gives pages. */
export interface Connection {
  /** `Type.field`. */
  readonly place: string;
  readonly type: string;
  readonly field: GraphQLField<unknown, unknown>;
}

/** Every field of the schema whose type is a connection. */
export function connections(schema: GraphQLSchema): Connection[] {
  const found: Connection[] = [];
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__') || !(isObjectType(type) || isInterfaceType(type))) continue;
    for (const field of Object.values(type.getFields())) {
      if (getNamedType(field.type).name.endsWith('Connection')) {
        found.push({ place: `${type.name}.${field.name}`, type: type.name, field });
      }
    }
  }
  return found;
}

/** The module of a connection's operation, and so the beginning of its name. */
export const moduleOf = (connection: Connection, way: Way): string =>
  `${connection.type}_${connection.field.name}_${way.name}`.replaceAll('_', '');

/** A way to page. */
export interface Way {
  readonly name: string;
  readonly size: string;
  readonly cursor: string;
}

export const WAYS: readonly Way[] = [
  { name: 'forward', size: 'first', cursor: 'after' },
  { name: 'backward', size: 'last', cursor: 'before' },
];

/** The text of a module with the operation. */
export function moduleText(schema: GraphQLSchema, connection: Connection, way: Way): string {
  const { field } = connection;
  const name = moduleOf(connection, way);
  const atRoot = schema.getQueryType()?.name === connection.type;
  const type = schema.getType(connection.type);
  const isNode = isObjectType(type) && type.getInterfaces().some(its => its.name === 'Node');
  const required = field.args.filter(isRequiredArgument);
  const variables = [
    `$${way.size}: Int!`,
    `$${way.cursor}: String`,
    ...required.map((argument: GraphQLArgument) => `$${argument.name}: ${argument.type}`),
    ...(isNode ? ['$node: ID!'] : []),
  ];
  const given = [way.size, way.cursor, ...required.map(argument => argument.name)];
  const selected =
    `${field.name}(${given.map(argument => `${argument}: $${argument}`).join(', ')})` +
    ` @connection(key: "${name}_${field.name}") { totalCount edges { node { ${leaves(schema, field)} } } }`;
  const inNode = `node(id: $node) { ... on ${connection.type} { ${selected} } }`;
  const body = atRoot ? selected : isNode ? inNode : `${rootField(schema, connection.type)} { ${selected} }`;
  return (
    `import { graphql } from 'relay-runtime';\n\n` +
    `export const query = graphql\`\n  query ${name}Query(${variables.join(', ')}) { ${body} }\n\`;\n`
  );
}

/** The field of the root that gives an object of this type, which is no node. */
function rootField(schema: GraphQLSchema, type: string): string {
  const fields = Object.values(schema.getQueryType()?.getFields() ?? {});
  const found = fields.find(field => getNamedType(field.type).name === type && !field.args.some(isRequiredArgument));
  if (!found) throw new Error(`no field of the root gives a ${type}`);
  return found.name;
}

/** The scalars and enums of what a page holds. */
function leaves(schema: GraphQLSchema, field: GraphQLField<unknown, unknown>): string {
  const page = schema.getType(getNamedType(field.type).name);
  const edges = isObjectType(page) ? page.getFields()['edges'] : undefined;
  const edge = edges && getNamedType(edges.type);
  const node = isObjectType(edge) ? edge.getFields()['node'] : undefined;
  const type = node && getNamedType(node.type);
  if (!isObjectType(type) && !isInterfaceType(type)) throw new Error(`${field.name} is no connection`);
  const names = Object.values(type.getFields())
    .filter(inner => isLeafType(getNamedType(inner.type)) && !inner.args.some(isRequiredArgument))
    .map(inner => inner.name);
  return names.length > 0 ? names.join(' ') : '__typename';
}
