// What the server says in sentences, by their form: which message each is, and what its values are. The book and the log hold the
// sentence; here it is told in other words. One that is not on this list is shown as it was said.

const PROPOSAL = "proposal '(?<proposal>[^']+)'";
// As the door says which field it did not take.
const CAME = "(?<field>\\S+) is (?<came>.+)";
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
  need_closed: "its window closed at (?<time>\\S+), and now is (?<now>\\S+)",
  need_open: "(?<open>.+) of (?<asked>.+) is in no proposal and no commitment",
  need_only_offer: "the only offer is ruled out",
  need_none_reach: "all (?<offers>[\\d,]+) offers are ruled out",
  need_nobody: "nobody offers it",
  need_dimension: "only offered in (?<dimensions>.+), needed in (?<dimension>.+)",
  need_recipe_lacks: "(?<recipe>\\S+) makes it, but nobody has (?<missing>.+)",
  need_recipe_ready: "the recipe (?<recipe>\\S+) makes it, and everything it takes is offered by somebody; nobody offers what it makes",
  need_recipe_one_offer: "the recipe (?<recipe>\\S+) makes it, but a run takes all its (?<thing>.+) from one offer: (?<run>.+), and (?<most>.+) is the most free in one",
  process_counts: "(?<name>.+) counts as (?<process>.+) \\((?<source>[^()]+)\\)",
  recipe_loop: "recipe (?<recipe>\\S+) is not used: it closes the loop (?<loop>.+), in which (?<share>\\S+) of it comes back and nothing else comes out; withdraw it",
  recipe_loop_no_gain: "recipe (?<recipe>\\S+) is not used: it closes the loop (?<loop>.+), in which no more of it comes back and nothing else comes out; withdraw it",
  recipe_wide: "recipe (?<recipe>\\S+) is not used: its amount of (?<thing>.+) and other recipes' are (?<apart>\\S+) times apart, too far to be planned together; check its amounts and say it anew",
  recipe_deep: "recipe (?<recipe>\\S+) is not used: the least amount of (?<thing>.+) takes (?<times>\\S+) least amounts of other things through all levels; check its amounts and say it anew",
  need_kept_away: `${OFFERS}: (?<rule>.+)`,
  // what could change that a need is short
  change_tier: "it says tier (?<said>\\d) and counts as tier (?<used>\\d): the charter does not let (?<agent>\\S+) claim tier \\d",
  change_new_window: "only a new window, said by its agent: nothing arrives in one that has closed",
  change_waiting: "(?<held>.+) of what could reach it waits for others' answers: what they decline, or let lapse \\((?<time>\\S+) at the earliest\\), is planned again",
  change_radius: `a wider radius: ${OFFERS} with (?<free>.+) unpromised, the nearest (?<far>[\\d,.]+) km away`,
  change_route: `a place or a route that connects it with ${OFFERS} with (?<free>.+) unpromised`,
  change_declined: `a new count, said by either side, opens a declined pair again: ${OFFERS} with (?<free>.+) unpromised`,
  change_minimum: `a smaller minimum, on the side that states it: ${OFFERS} with (?<free>.+) unpromised`,
  change_window: `another window, on either side: ${OFFERS} with (?<free>.+) unpromised`,
  change_alias: "somebody offering (?<thing>.+), counted in (?<dimension>\\w+), or agreeing that it is (?<meant>.+) \\(an alias in the charter\\)",
  change_offer: "somebody offering (?<thing>.+), counted in (?<dimension>\\w+)",
  change_one_offer: "one offer of at least (?<run>.+) of (?<thing>.+)",
  near_name: "`(?<name>.+)` has nearly the same name: offered by (?<offered>\\d+), needed by (?<needed>\\d+)",
  // what cannot be said of what would be enough
  unsaid_kept: "all of it is kept for others' answers: nothing is left to plan",
  unsaid_market: "what would be enough: the market's amounts and ways are too large for changes to be tried",
  unsaid_free: "planning again gives it that much already: something came free since the last plan",
  unsaid_minimum: "with minimum parts a smaller change of the same kind may be enough, although one step less is not",
  unsaid_place: "how much more supply would be enough: it has no place, and no offer reaches it",
  unsaid_supply_there: "no amount of supply at its place is enough: packs or minimum parts keep it from taking all",
  unsaid_supply: "no amount of supply in (?<offer>.+), the nearest offer is enough: packs or minimum parts keep it from taking all",
  unsaid_tier: "tier (?<tiers>.+): the charter does not let (?<agent>.+) claim it",
  unsaid_radius: "whether a wider radius of one offer alone is enough: of (?<offers>\\d+), the nearest (?<tried>\\d+) are not",
  unsaid_charter: "whether a wider radius in the charter is enough: the market is too large to try that",
  // why a signal was turned away at the door
  door_positive: `${CAME}; a quantity is above zero: say how much there is, or send null to withdraw\\.`,
  door_infinite: "(?<came>.+) is not a finite number to most readers; send one between 1e-308 and 1e308\\.",
  door_between: `${CAME}; .+ from (?<low>\\S+) to (?<high>\\S+) was expected: check it\\.`,
  door_unit: `${CAME}; a UCUM code (?:in quotes )?was expected: .+`,
  door_offset: "(?<field>\\S+) is (?<came>.+) without an offset; a time and its offset were expected: .+",
  door_no_time: "(?<field>\\S+) is missing; an RFC 3339 time was expected: .+",
  door_time: "(?<field>\\S+) is (?!missing;)(?<came>.+); an RFC 3339 time (?:in quotes )?was expected: .+",
  door_day: `${CAME}; no such day exists: check year, month and day\\.`,
  door_window: "(?<field>\\S+) is (?<end>\\S+), not after its begin, (?<begin>\\S+); a window ends after it begins: check both\\.",
  door_hours: `${CAME}, of (?<dimension>\\w+); hours are a time: send h, min or another time unit\\.`,
  door_kind: "type is (?<came>.+); a known kind of signal, stigmergy\\.KIND\\.v1, was expected: .+",
  door_making: "data takes (?<taken>.+) to make (?<made>.+); a recipe makes more of its output than it takes: check inputs and outputs\\.",
  door_agent_name: ".+ is (?<came>.+); an agent's name has only letters, digits, dots, underscores and hyphens: write it so\\.",
  door_whole: `${CAME}, in ".+"; pieces are whole: send a whole number, or another unit\\.`,
  door_digits: `${CAME}, in "(?<unit>.+)"; amounts are whole .+: round it to fewer digits\\.`,
  door_large: `${CAME}; at most 1e9 of its unit is taken: check it, or say it in a larger unit than .+`,
  door_number: `${CAME}; a number was expected: send it without quotes\\.`,
  door_no_number: `${CAME}; a number was expected: send one, such as 12 or 12\\.5\\.`,
  door_text: `${CAME}; a text was expected: put it in quotes\\.`,
  door_empty: "(?<field>\\S+) is empty; a name of 1 to 128 characters was expected: say which one you mean\\.",
  door_long: "(?<field>\\S+) has (?<length>\\d+) characters; at most (?<most>\\d+) are taken: shorten it\\.",
  door_hidden: "(?<field>\\S+) is .+; the hidden character (?<character>U\\+\\S+) is not taken: leave it out\\.",
  door_pair: "data has .+; a need is for a resource with its quantity, or for a process with its effort, not both: send one such pair\\.",
  door_twice: "The key (?<key>.+) stands twice in one object; readers would disagree which one counts: send it once\\.",
  door_cut: "The line ends in the middle of the JSON, after (?<length>\\d+) characters; send the whole event on one line\\.",
  door_goes_on: "The line goes on after the JSON object ends, at character (?<at>\\d+); send one event a line\\.",
  door_json: "The line is not JSON at character (?<at>\\d+), before (?<before>.+); send one JSON object a line\\.",
  door_blank: "The line is empty; one JSON object was expected: send one event a line\\.",
  door_object: "The line holds (?<came>.+); one CloudEvents object was expected: send it in \\{ \\}\\.",
  door_bytes: "The line has (?<length>\\d+) bytes; at most (?<most>\\d+) are taken: send smaller events\\.",
  door_version: "specversion is (?<came>.+); .+ was expected: send CloudEvents 1\\.0\\.",
  door_no_data: "data .+; every event has data, or null to withdraw: add it\\.",
  door_lacks: "(?<field>\\S+) is missing; every event has one: add a text of 1 to 128 characters\\.",
  door_missing: "(?<field>\\S+) is missing; it is required: add it\\.",
  door_meant: "(?<field>\\S+) is missing; did you mean it by (?<other>.+)\\?",
  door_stranger: "(?<field>\\S+) is not a known field; leave it out, or use one of (?<known>.+)\\.",
  door_misspelt: "(?<field>\\S+) is not a known field; did you mean (?<other>.+)\\?",
  door_one_of: `${CAME}; (?<known>.+) was expected: send one of these\\.`,
  door_quantity: `${CAME}; an object was expected: write it like (?<like>.+)\\.`,
  door_speaker: "source is (?<came>.+); (?<speaker>\\w+):NAME was expected: say who speaks\\.",
  door_only: "source is (?<came>.+); only (?<speaker>\\w+):NAME can say this kind: send it as the one who says it\\.",
  door_agents: "source is (?<came>.+); here only agents speak: say it as agent:NAME\\.",
  door_token: "source is (?<came>.+), but the token is that of '(?<name>.+)': everybody speaks for itself alone\\.",
  door_subject: "subject is (?<came>.+) and data\\.proposal (?<proposal>.+); an answer's subject is its proposal: make them equal\\.",
  door_twice_said: "the event '(?<id>.+)' of (?<source>\\S+) was said before with other content; the first stands: use a new id",
  door_late: "time is (?<came>\\S+), (?<late>\\d+) s before the log's \\S+; at most (?<most>\\d+) s late was expected: say it anew with the time of now",
};

const KNOWN = Object.entries(FORMS).map(([name, form]) => [name, new RegExp(`^${form}$`, "d")]);

// Returns which message a sentence is, with its values and where each stands in it; undefined where it is none of these.
export function formOf(sentence) {
  for (const [name, form] of KNOWN) {
    const found = form.exec(sentence);
    if (found) return { name, values: { ...found.groups }, at: { ...found.indices.groups } };
  }
  return undefined;
}
