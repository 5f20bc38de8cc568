import { consequence, type Rules, STATES, titleOf, when } from './words';

/** The rules, each in words. */
export function Policy({ rules }: { rules: Rules }) {
  return (
    <>
      <dl className="rules">
        {STATES.map(state => (
          <div key={state} className="rule">
            <dt>{titleOf(state)}</dt>
            <dd>
              <strong>{when(rules[state])}</strong>
              <span className="hint">{consequence(rules[state])}</span>
            </dd>
          </div>
        ))}
      </dl>
      <p className="hint rules-note">
        Jobs that have not ended or are on hold are left alone.{' '}
        {rules.includeAdopted ? 'Jobs of an earlier program are dealt with like all others.' : 'So are jobs of an earlier program.'}
      </p>
    </>
  );
}
