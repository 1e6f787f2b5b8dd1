"""Methods that say what an answer is made of, one file an idea; see `resnet_widgets.explain`."""
