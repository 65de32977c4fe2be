"""Model hubs on loopback: real servers that speak Hugging Face's and ModelScope's protocols, and break on command.

`with Hubs(folder) as hubs:` starts three of them (`hubs.hf`, `hubs.mirror`, `hubs.modelscope`), each with a second
origin for large files behind signed addresses that expire. `hubs.publish(model)` puts a model of models.py on all;
`hub.faults.add(Fault(…), …)` makes one misbehave; `hub.log` tells what was asked and sent. `hubs.environ()` points the
app at them. `python -m tests.hubs` runs them alone.
"""
