// What a person typed and chose stays in the browser: it is back after a reload, Back, a restart of the server, and on
// the page in the other language.
//
// The page's head runs this before Gradio: begin() puts the kept values into the configuration that Gradio starts with,
// so that nothing flickers and the server is not asked. Each widget that is kept (widgets/memory.py) reports its changes.

window.studioMemory = (() => {
  const PREFIX = "tts-studio-";
  const VALUES = `${PREFIX}kept`;
  const TAB = "studio-tabs";
  const LINKS = { tab: TAB, voice: "speak-voice" }; // the address's parameters, and what they set
  const MAX_CHARS = 1_000_000; // browsers keep about five million in all

  let place = null; // localStorage; for guests sessionStorage, which ends with the browser's tab
  const rendered = new Map(); // the texts as the server rendered them, which differ between languages

  const read = () => {
    try {
      return JSON.parse(place.getItem(VALUES)) ?? {};
    } catch {
      return {}; // the browser keeps nothing, or something else wrote there
    }
  };

  const keep = (id, value) => {
    if (place === null) return;
    const values = read();
    if (value === rendered.get(id) || value === null || value?.length > MAX_CHARS) delete values[id];
    else values[id] = value;
    try {
      place.setItem(VALUES, JSON.stringify(values));
    } catch {
      // it is full, or keeps nothing
    }
  };

  const choices = (props) => (props.choices ?? []).map((choice) => (Array.isArray(choice) ? choice[1] : choice));

  // Whether the widget takes the value. What there is to choose from may have grown since the page was made: whether a
  // voice, a model or a language is still there, the server looks up when the page opens.
  const fits = ({ type, props }, value) => {
    if (type === "radio") return choices(props).includes(value);
    if (type === "slider") return Number.isFinite(value) && value >= props.minimum && value <= props.maximum;
    if (type === "number") return Number.isFinite(value);
    if (type === "checkbox") return typeof value === "boolean";
    return typeof value === "string";
  };

  const begin = (config) => {
    const byId = new Map(config.components.filter(({ props }) => props.elem_id).map((component) => [component.props.elem_id, component]));
    const tabs = byId.get(TAB);
    if (!tabs) return; // another page
    place = tabs.props.elem_classes?.includes("studio-of-guests") ? sessionStorage : localStorage;
    const kept = { ...read(), ...linked() };
    for (const [id, { type, props }] of byId) if (type === "textbox") rendered.set(id, props.value ?? "");
    for (const [id, value] of Object.entries(kept)) {
      const component = byId.get(id);
      if (component && component !== tabs && fits(component, value)) component.props.value = value;
    }
    const names = config.components.filter(({ type }) => type === "tabitem").map(({ props }) => props.id);
    if (names.includes(kept[TAB])) tabs.props.selected = kept[TAB];
  };

  // What the address asks for. It is kept like a choice of the person's, and taken from the address: a reload later on
  // does not undo what was chosen since.
  const linked = () => {
    const address = new URL(location.href);
    const wanted = {};
    for (const [name, id] of Object.entries(LINKS)) {
      if (address.searchParams.get(name)) wanted[id] = address.searchParams.get(name);
      address.searchParams.delete(name);
    }
    if (!Object.keys(wanted).length) return wanted;
    if (wanted[LINKS.voice]) Object.assign(wanted, { [`${LINKS.voice}-chosen`]: true, [TAB]: wanted[TAB] ?? "speak" });
    history.replaceState(null, "", address);
    for (const [id, value] of Object.entries(wanted)) keep(id, value);
    return wanted;
  };

  const forget = () => {
    place = null; // what changes from now on is not kept either
    for (const storage of [localStorage, sessionStorage]) {
      for (const key of Object.keys(storage)) if (key.startsWith(PREFIX)) storage.removeItem(key);
    }
  };

  return { begin, keep, forget };
})();
