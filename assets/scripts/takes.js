// Runs once, with Gradio's `element` and `trigger`: what happens in the player becomes Gradio's events with their data.

element.addEventListener("tts-take", ({ detail }) => trigger("submit", detail)); // a take is finished, or a new one begins
element.addEventListener("tts-use", ({ detail }) => trigger("select", detail)); // a take's settings are to fill the form
