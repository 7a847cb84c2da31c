// What the server says in sentences, by their form: which message each is, and what its values are. The book and the log hold the
// sentence; here it is told in other words. One that is not on this list is shown as it was said.

const PROPOSAL = "proposal '(?<proposal>[^']+)'";
const OFFERS = "(?<count>[\\d,]+) offers?";

const FORMS = {
  // answers that were refused
  superseded: `${PROPOSAL} was superseded or retracted; look for a newer one`,
  lapsed: `${PROPOSAL} expired before anybody answered; look for a newer one`,
  expired: `${PROPOSAL} expired at (?<time>\\S+); look for a newer one`,
  ended: `${PROPOSAL} has ended: (?<state>.+)`,
  unknown: "there is no proposal '(?<proposal>[^']+)'; check the id",
  no_party: `'(?<agent>[^']+)' is not a party of ${PROPOSAL}; only (?<parties>.+) may answer it`,
  not_open: `${PROPOSAL} is (?<state>[^:]+); it can no longer be answered`,
  accepted_already: `'(?<agent>[^']+)' has accepted ${PROPOSAL} already; once is enough`,
  nothing_to_take_back: `'(?<agent>[^']+)' has no standing acceptance of ${PROPOSAL} to take back`,
  stands: `${PROPOSAL} is (?<state>[^:]+): everybody accepted, so it stands; report what happened instead`,
  signal_gone: "(?<signal>\\S+) no longer stands; say it again before accepting",
  takes_too_much: "the proposal takes (?<asked>.+) of (?<signal>\\S+), of which (?<free>.+) are left unpromised; decline it or raise the count",
  counter_without: "a counter says how much instead; send `quantity`, or decline",
  counter_lines: `${PROPOSAL} has (?<lines>\\d+) lines; a counter needs one: decline it and say in your signals what you can`,
  counter_unit: "the counter is in '(?<unit>.+)', the proposal in '(?<other>.+)'; use a unit of the same dimension",
  counter_large: "a counter is smaller than what was proposed \\((?<asked>.+)\\); accept it, or raise your signal for more",
  // what the book says of plans and commitments
  freed: "(?<agent>\\S+) (?<state>declined|countered) it, so (?<others>.+) is free of it",
  not_delivered: "the need's end passed with (?<arrived>\\d+) of (?<lines>\\d+) lines delivered in full",
  // why a need is short, where its figures do not tell
  need_expired: "it expired at (?<time>\\S+)",
  need_withdrawn: "it was withdrawn",
  need_closed: "its window closed at (?<time>\\S+), and now is \\S+",
  need_open: "(?<open>.+) of (?<asked>.+) is in no proposal and no commitment",
  need_only_offer: "the only offer is ruled out",
  need_none_reach: "all (?<offers>[\\d,]+) offers are ruled out",
  need_nobody: "nobody offers it",
  need_dimension: "only offered in (?<offered>.+), needed in (?<wanted>.+)",
  need_recipe_lacks: "(?<recipe>\\S+) makes it, but nobody has (?<missing>.+)",
  need_recipe_ready: "the recipe (?<recipe>\\S+) makes it, and everything it takes is offered by somebody; nobody offers what it makes",
  need_kept_away: `${OFFERS}: (?<rule>.+)`,
  // what could change that a need is short
  change_tier: "it says tier (?<said>\\d) and counts as tier (?<used>\\d): the charter does not let (?<agent>\\S+) claim tier \\d",
  change_new_window: "only a new window, said by its agent: nothing arrives in one that has closed",
  change_waiting: "(?<held>.+) of what could reach it waits for others' answers: what they decline, or let lapse \\((?<time>\\S+) at the earliest\\), is planned again",
  change_radius: `a wider radius: ${OFFERS} with (?<free>.+) free, the nearest (?<far>[\\d,.]+) km away`,
  change_route: `a place or a route that connects it with ${OFFERS} with (?<free>.+) free`,
  change_declined: `a new count, said by either side, opens a declined pair again: ${OFFERS} with (?<free>.+) free`,
  change_minimum: `a smaller minimum, on the side that states it: ${OFFERS} with (?<free>.+) free`,
  change_window: `another window, on either side: ${OFFERS} with (?<free>.+) free`,
  change_alias: "somebody offering (?<thing>.+), counted in (?<dimension>\\w+), or agreeing that it is (?<meant>.+) \\(an alias in the charter\\)",
  change_offer: "somebody offering (?<thing>.+), counted in (?<dimension>\\w+)",
  near_name: "`(?<name>.+)` has nearly the same name: offered by (?<offered>\\d+), needed by (?<needed>\\d+)",
};

const KNOWN = Object.entries(FORMS).map(([name, form]) => [name, new RegExp(`^${form}$`)]);

// Returns which message a sentence is, with its values; undefined where it is none of these.
export function formOf(sentence) {
  for (const [name, form] of KNOWN) {
    const found = form.exec(sentence);
    if (found) return { name, values: { ...found.groups } };
  }
  return undefined;
}
