// SPDX-License-Identifier: GPL-2.0-only
/* vnccapture PORT FILE: what a VNC viewer on this machine sees, as a PPM */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rfb/rfbclient.h>

static int updates;

static void updated(rfbClient *client, int x, int y, int w, int h)
{
	(void)client;
	(void)x;
	(void)y;
	updates += w * h;
}

int main(int argc, char **argv)
{
	rfbClient *client = rfbGetClient(8, 3, 4);
	FILE *f;
	int i;

	if (argc != 3)
		return 2;
	free(client->serverHost);
	client->serverHost = strdup("127.0.0.1");
	client->serverPort = atoi(argv[1]);
	client->appData.encodingsString = "zlib raw";
	client->appData.enableJPEG = FALSE;
	client->appData.useRemoteCursor = TRUE;	/* the picture alone */
	client->canHandleNewFBSize = TRUE;
	client->GotFrameBufferUpdate = updated;
	if (!rfbInitClient(client, NULL, NULL))
		return 1;
	for (i = 0; i < 200 && updates < client->width * client->height; i++) {
		if (WaitForMessage(client, 100000) > 0 &&
		    !HandleRFBServerMessage(client))
			return 1;
	}
	f = fopen(argv[2], "w");
	if (!f)
		return 1;
	fprintf(f, "P6\n%d %d\n255\n", client->width, client->height);
	/* red comes first, as the client asked for it */
	for (i = 0; i < client->width * client->height; i++)
		fwrite(client->frameBuffer + 4 * i, 3, 1, f);
	return fclose(f) ? 1 : 0;
}
