"""huggingface_hub with its provider for fal, unmodified but for the models, which it would ask its own host for. Prints JSON."""

import json
import os

from huggingface_hub import InferenceClient
from huggingface_hub.hf_api import InferenceProviderMapping
from huggingface_hub.inference._providers._common import HARDCODED_MODEL_INFERENCE_MAPPING

MODELS = {
    "text-to-image": "fal-ai/models",
    "automatic-speech-recognition": "fal-ai/models/transcribe",
    "text-to-video": "fal-ai/models/stored-film",
}

for task, app in MODELS.items():
    HARDCODED_MODEL_INFERENCE_MAPPING["fal-ai"][f"somebody/{task}"] = InferenceProviderMapping(
        provider="fal-ai", hf_model_id=f"somebody/{task}", providerId=app, status="live", task=task
    )

client = InferenceClient(provider="fal-ai", api_key=os.environ["FAL_KEY"])
picture = client.text_to_image("a cat", model="somebody/text-to-image")
heard = client.automatic_speech_recognition(b"good evening", model="somebody/automatic-speech-recognition")
film = client.text_to_video("a dog", model="somebody/text-to-video")
print(json.dumps({"picture": [picture.format, picture.size], "heard": heard.text, "film": film.decode()}))
